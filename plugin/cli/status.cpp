// paceline status, paceline version.
#include <CLI/CLI.hpp>

#include "plugin/cli/pull_tables.h"
#include "plugin/cli/session.h"
#include "plugin/cli/status_text.h"

namespace paceline::cli {
namespace {

Exit show_pull(Session& session, const std::string& id) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::GetPullRequest request;
  request.set_pull_id(id);
  const auto pull = (*client)->call(&Client::Stub::GetPull, request);
  if (!pull) return session.output.fail(pull.error());
  if (session.output.json()) {
    session.output.object(to_json(*pull));
  } else {
    session.output.text(pull_details(*pull, session.output.style()));
  }
  return Exit::kOk;
}

Outcome<DaemonStatus> ask(Client& client, const std::string& address) {
  const auto version = client.call(&Client::Stub::GetVersion, v1::GetVersionRequest());
  if (!version) return tl::unexpected(version.error());
  const auto usage = client.call(&Client::Stub::GetUsage, v1::GetUsageRequest());
  if (!usage) return tl::unexpected(usage.error());
  const auto pulls = client.call(&Client::Stub::ListPulls, v1::ListPullsRequest());
  if (!pulls) return tl::unexpected(pulls.error());
  const auto paths = client.call(&Client::Stub::GetPaths, v1::GetPathsRequest());
  if (!paths) return tl::unexpected(paths.error());
  return DaemonStatus{address,
                      *version,
                      *usage,
                      {pulls->pulls().begin(), pulls->pulls().end()},
                      {paths->paths().begin(), paths->paths().end()}};
}

Exit show_daemon(Session& session) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  const auto status = ask(**client, session.options.address);
  if (!status) return session.output.fail(status.error());
  if (!session.output.json()) {
    session.output.text(status_text(*status, session.now_unix_ms(), session.output.style()));
    return Exit::kOk;
  }
  Json pulls = Json::array();
  for (const auto& pull : status->pulls) pulls.push_back(to_json(pull));
  Json paths = Json::array();
  for (const auto& path : status->paths) paths.push_back(to_json(path));
  session.output.object({{"daemon", to_json(status->version)},
                         {"usage", to_json(status->usage)},
                         {"pulls", std::move(pulls)},
                         {"paths", std::move(paths)}});
  return Exit::kOk;
}

// Says its own version even when the daemon cannot be asked for its.
Exit show_version(Session& session) {
  const auto client = session.connect();
  Outcome<v1::Version> daemon =
      client ? (*client)->call(&Client::Stub::GetVersion, v1::GetVersionRequest()) : tl::unexpected(client.error());
  if (session.output.json()) {
    session.output.object(
        {{"client", {{"version", PACELINE_VERSION}}}, {"daemon", daemon ? to_json(*daemon) : Json(nullptr)}});
  } else {
    session.output.line("client  " PACELINE_VERSION);
    if (daemon) session.output.line("daemon  " + daemon->version() + " (API " + daemon->api_version() + ")");
  }
  return daemon ? Exit::kOk : session.output.fail(daemon.error());
}

}  // namespace

void add_status(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("status", "Show the daemon at a glance, or one pull in full");
  auto id = std::make_shared<std::string>();
  command->add_option("PULL", *id, "Id of a pull, as 'paceline pulls' shows it");
  command->footer(
      "Examples:\n"
      "  paceline status\n"
      "  paceline status PULL\n"
      "  paceline status --output json | jq .usage.hidden_bytes");
  command->callback([&chosen, id] {
    chosen = [id](Session& session) { return id->empty() ? show_daemon(session) : show_pull(session, *id); };
  });
}

void add_version(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("version", "Show the versions of this client and of the daemon");
  command->callback([&chosen] { chosen = show_version; });
}

}  // namespace paceline::cli
