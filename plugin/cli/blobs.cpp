// paceline blobs, paceline evict.
#include <CLI/CLI.hpp>

#include "plugin/cli/blob_tables.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

Exit list(Session& session, v1::Visibility visibility) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::ListBlobsRequest request;
  request.set_visibility(visibility);
  const auto stream = (*client)->stream(&Client::Stub::ListBlobs, request);
  std::vector<v1::Blob> blobs;  // A table's columns are as wide as its widest cell: it needs them all.
  v1::ListBlobsResponse message;
  while (stream->read(message)) {
    for (const auto& blob : message.blobs()) {
      if (session.output.json()) {
        session.output.object(to_json(blob));
      } else {
        blobs.push_back(blob);
      }
    }
  }
  if (const auto ended = stream->finish(); !ended) return session.output.fail(ended.error());
  if (!session.output.json()) session.output.text(blobs_table(blobs, session.now_unix_ms()));
  return Exit::kOk;
}

Exit exit_for_error(const v1::Error& error) {
  if (error.code() == "INVALID_ARGUMENT") return Exit::kUsage;
  return error.code() == "NOT_FOUND" ? Exit::kNotFound : Exit::kFailed;
}

Exit evict(Session& session, const std::vector<std::string>& targets, bool all) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::EvictRequest request;
  request.set_all(all);
  for (const auto& target : targets) request.add_targets(target);
  const auto response = (*client)->call(&Client::Stub::Evict, request);
  if (!response) return session.output.fail(response.error());
  if (session.output.json()) {
    session.output.object(to_json(*response));
  } else {
    session.output.line(eviction_text(*response));
  }
  Exit exit = Exit::kOk;
  for (const auto& failure : response->failures()) {
    session.output.error(failure.error().message());
    exit = combine(exit, exit_for_error(failure.error()));
  }
  return exit;
}

}  // namespace

void add_blobs(CLI::App& app, Action& chosen) {
  struct Arguments {
    bool hidden = false, listed = false;
  };
  auto* command = app.add_subcommand("blobs", "List what is stored");
  auto arguments = std::make_shared<Arguments>();
  auto* hidden =
      command->add_flag("--hidden", arguments->hidden, "Only what containerd has not asked for yet: prefetched blobs");
  command->add_flag("--listed", arguments->listed, "Only what containerd knows")->excludes(hidden);
  command->footer(
      "Examples:\n"
      "  paceline blobs --hidden\n"
      "  paceline blobs --output json | jq -s 'map(.size_bytes) | add'");
  command->callback([&chosen, arguments] {
    chosen = [arguments](Session& session) {
      return list(session, arguments->hidden   ? v1::VISIBILITY_HIDDEN
                           : arguments->listed ? v1::VISIBILITY_LISTED
                                               : v1::VISIBILITY_UNSPECIFIED);
    };
  });
}

void add_evict(CLI::App& app, Action& chosen) {
  struct Arguments {
    std::vector<std::string> targets;
    bool all = false;
  };
  auto* command = app.add_subcommand("evict", "Drop prefetched blobs that nobody has asked for yet");
  auto arguments = std::make_shared<Arguments>();
  auto* targets = command->add_option("TARGET", arguments->targets, "Digests (sha256:...) or images");
  command->add_flag("--all", arguments->all, "Everything that is hidden and not pinned")->excludes(targets);
  command->footer(
      "Only hidden, unpinned blobs go: what containerd knows is its own (remove the image there), what is pinned "
      "stays\n"
      "until 'paceline unpin'. Of an image, blobs that may not go are kept and counted.\n\n"
      "Examples:\n"
      "  paceline evict --all\n"
      "  paceline evict docker.io/library/redis:7\n"
      "  paceline evict sha256:0123...");
  command->callback([&chosen, arguments] {
    if (arguments->targets.empty() && !arguments->all) {
      throw CLI::RequiredError("nothing to evict is named: give a digest or an image, or --all");
    }
    chosen = [arguments](Session& session) { return evict(session, arguments->targets, arguments->all); };
  });
}

}  // namespace paceline::cli
