#include "plugin/cli/prefetch.h"

#include <CLI/CLI.hpp>

namespace paceline::cli {
namespace {

constexpr std::size_t kNamedPulls = 3;

std::string how_to_go_on(const std::vector<std::string>& ids) {
  std::string cancel = "paceline cancel";
  for (std::size_t i = 0; i < ids.size() && i < kNamedPulls; ++i) cancel += " " + ids[i];
  if (ids.empty()) cancel += " PULL";
  if (ids.size() > kNamedPulls) cancel += " ...";
  return "the pulls go on in the daemon; follow them: paceline pulls --watch; stop them: " + cancel;
}

Exit detached(Session& session, Client::Stream<v1::PullEvent>& stream) {
  v1::PullEvent event;
  while (stream.read(event)) {
    const auto& pull = event.pull();
    if (session.output.json()) {
      session.output.object(to_json(pull));
    } else {
      session.output.line(pull.pull_id() + "  " + pull.image());
    }
  }
  if (const auto ended = stream.finish(); !ended) return session.output.fail(ended.error());
  return Exit::kOk;
}

}  // namespace

Exit follow(Session& session, Client::Stream<v1::PullEvent>& stream, PullDisplay& display, bool pulls_go_on) {
  v1::PullEvent event;
  while (stream.read(event)) {
    display.event(event.pull());
    // What is only followed ends with its reader; what was asked for goes on.
    if (display.endless() && session.output.lost()) {
      stream.abandon();
      return display.exit();
    }
  }
  const auto ended = stream.finish();
  display.end();
  if (ended) return display.exit();
  Failure failure = ended.error();
  if (failure.exit == Exit::kInterrupted || failure.exit == Exit::kTimeout) {
    const auto unfinished = display.unfinished();
    if (!pulls_go_on) {
      failure.message += "; the pulls are cancelled";
    } else if (!unfinished.empty() || !display.endless()) {
      failure.message += "; " + how_to_go_on(unfinished);
    }
  } else if (failure.exit == Exit::kUnreachable) {
    failure.message += "; when it runs again, unfinished pulls go on: paceline pulls";
  }
  return session.output.fail(failure);
}

Exit run_prefetch(Session& session, const v1::PrefetchRequest& request) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  const auto stream = (*client)->stream(&Client::Stub::Prefetch, request);
  if (!request.wait()) return detached(session, *stream);
  PullDisplay display(session.output, session.clock, false);
  return follow(session, *stream, display, !request.cancel_on_disconnect());
}

void add_prefetch(CLI::App& app, Action& chosen) {
  struct Arguments {
    std::vector<std::string> images;
    std::string platform;
    bool pin = false, detach = false, cancel = false, unpack = false, no_unpack = false;
  };
  auto* command = app.add_subcommand("prefetch", "Fetch images into the store before anyone asks for them");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("IMAGE", arguments->images, "Images as Docker writes them, e.g. redis or host:5000/team/app:1.2")
      ->required();
  command->add_option("--platform", arguments->platform, "os/architecture[/variant]; default: the daemon's machine");
  command->add_flag("--pin", arguments->pin, "Keep the images until they are unpinned");
  auto* unpack =
      command->add_flag("--unpack", arguments->unpack, "Go on to unpacked layers (needs the daemon's snapshotter)");
  command
      ->add_flag("--no-unpack", arguments->no_unpack, "Fetch only, even if the daemon's configuration says otherwise")
      ->excludes(unpack);
  auto* detach = command->add_flag("-d,--detach,--no-wait", arguments->detach,
                                   "Queue the pulls, print their ids and return; do not wait for them");
  command->add_flag("--cancel-on-exit", arguments->cancel, "Cancel the pulls when this command ends before them")
      ->excludes(detach);
  command->footer(
      "A prefetched image is stored but hidden from containerd until it is asked for: the pull that comes\n"
      "later finds its layers here; with --unpack it finds them unpacked. Ctrl-C ends this command, not the pulls: "
      "they belong to the daemon.\n\n"
      "Examples:\n"
      "  paceline prefetch docker.io/library/redis:7\n"
      "  paceline prefetch --pin --detach ghcr.io/team/base:1 ghcr.io/team/app:1\n"
      "  paceline prefetch --unpack ghcr.io/team/function:1\n"
      "  paceline prefetch --platform linux/arm64 alpine\n"
      "  xargs paceline prefetch < images.txt\n"
      "  paceline prefetch --output json redis | jq -r 'select(.state == \"done\").manifest_digest'");
  command->callback([&chosen, arguments] {
    chosen = [arguments](Session& session) {
      v1::PrefetchRequest request;
      for (const auto& image : arguments->images) request.add_images(image);
      request.set_platform(arguments->platform);
      request.set_pin(arguments->pin);
      if (arguments->unpack || arguments->no_unpack) request.set_unpack(arguments->unpack);
      request.set_wait(!arguments->detach);
      request.set_cancel_on_disconnect(arguments->cancel);
      request.set_include_blobs(true);
      return run_prefetch(session, request);
    };
  });
}

}  // namespace paceline::cli
