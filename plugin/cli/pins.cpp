// paceline pin, paceline unpin, paceline pins.
#include <CLI/CLI.hpp>

#include "plugin/cli/blob_tables.h"
#include "plugin/cli/prefetch.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

Exit unpin(Session& session, const std::vector<std::string>& images) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  Exit exit = Exit::kOk;
  for (const auto& image : images) {
    v1::UnpinRequest request;
    request.set_image(image);
    const auto response = (*client)->call(&Client::Stub::Unpin, request);
    if (!response) {
      exit = combine(exit, session.output.fail(response.error()));
    } else if (session.output.json()) {
      session.output.object({{"image", response->image()}});
    } else {
      session.output.line("unpinned " + response->image());
    }
  }
  return exit;
}

Exit list(Session& session) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  const auto response = (*client)->call(&Client::Stub::ListPins, v1::ListPinsRequest());
  if (!response) return session.output.fail(response.error());
  if (session.output.json()) {
    for (const auto& pin : response->pins()) session.output.object(to_json(pin));
  } else {
    session.output.text(pins_table({response->pins().begin(), response->pins().end()}));
  }
  return Exit::kOk;
}

}  // namespace

void add_pin(CLI::App& app, Action& chosen) {
  struct Arguments {
    std::vector<std::string> images;
    std::string platform;
  };
  auto* command = app.add_subcommand("pin", "Keep images: no eviction, and no garbage collection, takes their blobs");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("IMAGE", arguments->images, "Images as Docker writes them")->required();
  command->add_option("--platform", arguments->platform, "os/architecture[/variant]; default: the daemon's machine");
  command->footer(
      "The same as 'paceline prefetch --pin': the registry is asked for the manifest, what is stored already is not\n"
      "fetched again, and the pin holds once the pull is done.\n\n"
      "Example:\n"
      "  paceline pin docker.io/library/redis:7");
  command->callback([&chosen, arguments] {
    chosen = [arguments](Session& session) {
      v1::PrefetchRequest request;
      for (const auto& image : arguments->images) request.add_images(image);
      request.set_platform(arguments->platform);
      request.set_pin(true);
      request.set_wait(true);
      request.set_include_blobs(true);
      return run_prefetch(session, request);
    };
  });
}

void add_unpin(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("unpin", "Let images go again");
  auto images = std::make_shared<std::vector<std::string>>();
  command->add_option("IMAGE", *images, "Images, as 'paceline pins' shows them")->required();
  command->footer(
      "The blobs stay until room is needed, 'paceline evict' drops them, or containerd collects them.\n\n"
      "Example:\n"
      "  paceline unpin docker.io/library/redis:7");
  command->callback([&chosen, images] { chosen = [images](Session& session) { return unpin(session, *images); }; });
}

void add_pins(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("pins", "List the pinned images");
  command->footer("Example:\n  paceline pins --output json | jq -r .image");
  command->callback([&chosen] { chosen = list; });
}

}  // namespace paceline::cli
