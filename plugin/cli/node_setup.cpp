// paceline install, paceline uninstall: run the script node-setup, which is installed with this program.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

struct Arguments {
  bool now = false;
  bool dry_run = false;
  bool no_mirror = false;
  bool snapshotter = false;
  bool force = false;
  std::string containerd_config;
};

/// <prefix>/libexec/paceline/node-setup of the <prefix>/bin that this program is in.
std::filesystem::path script() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return self.parent_path().parent_path() / "libexec/paceline/node-setup";
}

/// Does not come back: the script's exit code and its answers to signals are this program's.
Exit run_script(Session& session, const std::string& verb, const Arguments& arguments) {
  const std::string path = script().string();
  std::vector<std::string> words = {path, verb};
  if (arguments.now) words.emplace_back("--now");
  if (arguments.dry_run) words.emplace_back("--dry-run");
  if (arguments.no_mirror) words.emplace_back("--no-mirror");
  if (arguments.snapshotter) words.emplace_back("--snapshotter");
  if (arguments.force) words.emplace_back("--force");
  if (!arguments.containerd_config.empty()) {
    words.insert(words.end(), {"--containerd-config", arguments.containerd_config});
  }
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // What this program blocks to handle it elsewhere, the script would have blocked for good.
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::execv(path.c_str(), argv.data());
  return session.output.fail(Failure{Exit::kFailed, path + ": " + std::strerror(errno)});
}

void add(CLI::App& app, Action& chosen, const std::string& verb, const std::string& description,
         const std::string& footer) {
  auto* command = app.add_subcommand(verb, description);
  auto arguments = std::make_shared<Arguments>();
  command->add_flag("--now", arguments->now, "Restart containerd, check that all is well, and go back if it is not");
  command->add_flag("--dry-run", arguments->dry_run, "Show what would change, as a diff, and change nothing");
  command
      ->add_option("--containerd-config", arguments->containerd_config,
                   "containerd's configuration file; default: /etc/containerd/config.toml")
      ->type_name("FILE");
  if (verb == "install") {
    command->add_flag("--no-mirror", arguments->no_mirror, "Leave hosts.toml alone: only prefetches are accelerated");
    command->add_flag(
        "--snapshotter", arguments->snapshotter,
        "Also make it a snapshotter of containerd's, called \"paceline\", and its differ where it takes one");
  } else {
    command->add_flag("--force", arguments->force, "Also where images will have to be pulled again");
  }
  command->footer(footer);
  command->callback([&chosen, arguments, verb] {
    chosen = [arguments, verb](Session& s) { return run_script(s, verb, *arguments); };
  });
}

}  // namespace

void add_install(CLI::App& app, Action& chosen) {
  add(app, chosen, "install", "Switch Paceline on: make it this node's content store (as root)",
      "What the node has stays usable. Without --now containerd is not restarted, and nothing changes until it is.\n\n"
      "Examples:\n"
      "  paceline install --dry-run\n"
      "  paceline install --now");
}

void add_uninstall(CLI::App& app, Action& chosen) {
  add(app, chosen, "uninstall", "Switch Paceline off: give containerd its own content store back (as root)",
      "containerd's configuration becomes what it was, and every image stays usable.\n\n"
      "Example:\n"
      "  paceline uninstall --now");
}

}  // namespace paceline::cli
