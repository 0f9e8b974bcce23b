// paceline verify.
#include <CLI/CLI.hpp>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/live_area.h"
#include "plugin/cli/progress_view.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

class VerifyDisplay {
 public:
  explicit VerifyDisplay(Session& session)
      : output_(session.output), clock_(session.clock), area_(output_.terminal()) {}

  void event(const v1::VerifyBlobsEvent& event) {
    last_ = event;
    if (!event.ok()) ++damaged_;
    if (output_.json()) return output_.object(to_json(event));
    if (!event.ok()) show_damage(event);
    if (!output_.live() || clock_.now() - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = clock_.now();
    const double fraction = event.total_bytes() == 0 ? 0
                                                     : static_cast<double>(event.verified_bytes()) /
                                                           static_cast<double>(event.total_bytes());
    const std::string text = "  " + std::to_string(event.verified_blobs()) + "/" + count(event.total_blobs(), "blob") +
                             "  " + format_part(event.verified_bytes(), event.total_bytes());
    area_.draw({clip(bar(fraction, 30) + text, output_.terminal().screen().columns - 1)});
  }

  Exit end() {
    area_.clear();
    if (!output_.json()) {
      output_.line("verified " + count(last_.verified_blobs(), "blob") + ", " + format_bytes(last_.verified_bytes()) +
                   ": " +
                   (damaged_ == 0 ? output_.style().good("all intact")
                                  : output_.style().bad(std::to_string(damaged_) + " damaged")));
    }
    return damaged_ == 0 ? Exit::kOk : Exit::kFailed;
  }

  void abandon() { area_.clear(); }

 private:
  void show_damage(const v1::VerifyBlobsEvent& event) {
    const std::string line = output_.style().bad("damaged") + "  " + event.digest() + "  " +
                             format_bytes(event.size_bytes()) + "  " + printable(event.error().message());
    if (output_.live()) {
      area_.print(line);
    } else {
      output_.line(line);
    }
  }

  Output& output_;
  const Clock& clock_;
  LiveArea area_;
  TimePoint drawn_{};
  v1::VerifyBlobsEvent last_;
  std::uint64_t damaged_ = 0;
};

Exit verify(Session& session, const std::vector<std::string>& digests) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::VerifyBlobsRequest request;
  for (const auto& digest : digests) request.add_digests(digest);
  const auto stream = (*client)->stream(&Client::Stub::VerifyBlobs, request);
  VerifyDisplay display(session);
  v1::VerifyBlobsEvent event;
  while (stream->read(event)) display.event(event);
  const auto ended = stream->finish();
  if (ended) return display.end();
  display.abandon();
  return session.output.fail(ended.error());
}

}  // namespace

void add_verify(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("verify", "Read blobs back from disk and compare them with their digests");
  auto digests = std::make_shared<std::vector<std::string>>();
  command->add_option("DIGEST", *digests, "Only these (sha256:...); default: everything that is stored");
  command->footer(
      "A damaged hidden blob is removed, so that it is fetched again; a damaged blob that containerd knows is "
      "reported\n"
      "and left: remove and pull its image again. Exits with 1 when anything is damaged.\n\n"
      "Examples:\n"
      "  paceline verify\n"
      "  paceline verify --output json | jq -r 'select(.ok | not).digest'");
  command->callback([&chosen, digests] { chosen = [digests](Session& session) { return verify(session, *digests); }; });
}

}  // namespace paceline::cli
