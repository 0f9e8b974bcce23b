// paceline pulls, paceline cancel, paceline paths.
#include <CLI/CLI.hpp>

#include "plugin/cli/prefetch.h"
#include "plugin/cli/pull_tables.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

Exit watch(Session& session) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  if (session.output.live()) {
    session.output.line(session.output.style().dim("following all pulls; Ctrl-C ends this, not the pulls"));
  }
  v1::WatchPullRequest request;
  request.set_include_blobs(true);
  const auto stream = (*client)->stream(&Client::Stub::WatchPull, request);
  PullDisplay display(session.output, session.clock, true);
  return follow(session, *stream, display, true);
}

Exit list(Session& session, bool all) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::ListPullsRequest request;
  request.set_include_finished(all);
  request.set_include_blobs(session.output.json());
  const auto response = (*client)->call(&Client::Stub::ListPulls, request);
  if (!response) return session.output.fail(response.error());
  if (session.output.json()) {
    for (const auto& pull : response->pulls()) session.output.object(to_json(pull));
  } else {
    session.output.text(pulls_table({response->pulls().begin(), response->pulls().end()}, session.now_unix_ms(),
                                    session.output.style()));
  }
  return Exit::kOk;
}

Exit cancel(Session& session, const std::vector<std::string>& ids) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  Exit exit = Exit::kOk;
  for (const auto& id : ids) {
    v1::CancelPullRequest request;
    request.set_pull_id(id);
    const auto pull = (*client)->call(&Client::Stub::CancelPull, request);
    if (!pull) {
      exit = combine(exit, session.output.fail(pull.error()));
    } else if (session.output.json()) {
      session.output.object(to_json(*pull));
    } else {
      session.output.line("cancelled " + id + (pull->image().empty() ? "" : "  " + pull->image()));
    }
  }
  return exit;
}

Exit paths(Session& session) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  const auto response = (*client)->call(&Client::Stub::GetPaths, v1::GetPathsRequest());
  if (!response) return session.output.fail(response.error());
  if (session.output.json()) {
    for (const auto& path : response->paths()) session.output.object(to_json(path));
  } else {
    session.output.text(paths_table({response->paths().begin(), response->paths().end()}));
  }
  return Exit::kOk;
}

}  // namespace

void add_pulls(CLI::App& app, Action& chosen) {
  struct Arguments {
    bool all = false, watch = false;
  };
  auto* command = app.add_subcommand("pulls", "List the pulls under way");
  auto arguments = std::make_shared<Arguments>();
  command->add_flag("-a,--all", arguments->all, "Also those that ended lately");
  command->add_flag("-w,--watch", arguments->watch, "Follow all pulls, present and coming, until Ctrl-C");
  command->footer(
      "Examples:\n"
      "  paceline pulls --all\n"
      "  paceline pulls --watch\n"
      "  paceline pulls --all --output json | jq -r 'select(.state == \"failed\") | .image + \": \" + .error.message'");
  command->callback([&chosen, arguments] {
    chosen = [arguments](Session& session) {
      return arguments->watch ? watch(session) : list(session, arguments->all);
    };
  });
}

void add_cancel(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("cancel", "Stop pulls");
  auto ids = std::make_shared<std::vector<std::string>>();
  command->add_option("PULL", *ids, "Ids of pulls, as 'paceline pulls' shows them")->required();
  command->footer(
      "What a cancelled pull has fetched is kept, and used by the next pull of the image.\n\n"
      "Examples:\n"
      "  paceline cancel PULL\n"
      "  paceline pulls --output json | jq -r .pull_id | xargs paceline cancel");
  command->callback([&chosen, ids] { chosen = [ids](Session& session) { return cancel(session, *ids); }; });
}

void add_paths(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("paths", "Show what the daemon knows of the hosts it fetches from");
  command->footer(
      "A path is one blob host, after redirects. STREAMS are under way, of those that the controller allows now; MOST\n"
      "is what it may allow at all: by configuration, or because the server asked to slow down.\n\n"
      "Example:\n"
      "  paceline paths --output json | jq '{host, bytes_per_second, rtt_ms}'");
  command->callback([&chosen] { chosen = paths; });
}

}  // namespace paceline::cli
