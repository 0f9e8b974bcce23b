// paceline doctor: what is wrong with Paceline on this node, and the mend.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "plugin/cli/format.h"
#include "plugin/cli/session.h"
#include "plugin/doctor/checks.h"
#include "plugin/doctor/look.h"

namespace paceline::cli {
namespace {

using doctor::Finding;

Result<doctor::Daemon> ask_daemon(const Session& session) {
  const auto client = session.connect();
  if (!client) return fail(Code::kUnavailable, client.error().message);
  const auto version = (*client)->call(&Client::Stub::GetVersion, v1::GetVersionRequest());
  if (!version) return fail(Code::kUnavailable, version.error().message);
  return doctor::Daemon{version->version(), version->process_id()};
}

std::string painted(Finding::State state, const Style& style) {
  std::string text(doctor::word(state));
  text.resize(9, ' ');
  switch (state) {
    case Finding::State::kOk:
      return style.good(text);
    case Finding::State::kWarning:
      return style.busy(text);
    case Finding::State::kFailed:
      return style.bad(text);
    case Finding::State::kSkipped:
      return style.dim(text);
  }
  return text;
}

void print(Session& session, const Finding& finding) {
  if (session.output.json()) {
    session.output.object({{"check", finding.check},
                           {"state", doctor::word(finding.state)},
                           {"found", finding.found},
                           {"mend", finding.mend.empty() ? Json(nullptr) : Json(finding.mend)}});
    return;
  }
  std::string check = finding.check;
  check.resize(19, ' ');
  session.output.line(painted(finding.state, session.output.style()) + check + printable(finding.found));
  if (!finding.mend.empty()) session.output.line("         mend: " + printable(finding.mend));
}

Exit examine(Session& session, const std::string& containerd_config) {
  doctor::Places places;
  const char* path = std::getenv("PATH");
  places.search_path = path == nullptr ? "" : path;
  if (!containerd_config.empty()) places.containerd_config = containerd_config;
  doctor::Node node = doctor::look(places);
  node.own_version = PACELINE_VERSION;
  node.daemon = ask_daemon(session);
  if (node.daemon) node.daemon_open_files = doctor::open_files_limit(node.daemon->process_id);

  Exit exit = Exit::kOk;
  for (const auto& finding : doctor::examine(node)) {
    print(session, finding);
    if (finding.state == Finding::State::kFailed) exit = Exit::kFailed;
  }
  return exit;
}

}  // namespace

void add_doctor(CLI::App& app, Action& chosen) {
  auto* command =
      app.add_subcommand("doctor", "Check all that Paceline needs on this node, and say the mend (as root)");
  auto containerd_config = std::make_shared<std::string>();
  command
      ->add_option("--containerd-config", *containerd_config,
                   "containerd's configuration file; default: /etc/containerd/config.toml")
      ->type_name("FILE");
  command->footer(
      "Changes nothing. Exits 1 if a check failed; warnings do not count.\n\n"
      "Examples:\n"
      "  sudo paceline doctor\n"
      "  sudo paceline doctor --output json | jq 'select(.state == \"failed\")'");
  command->callback([&chosen, containerd_config] {
    chosen = [containerd_config](Session& session) { return examine(session, *containerd_config); };
  });
}

}  // namespace paceline::cli
