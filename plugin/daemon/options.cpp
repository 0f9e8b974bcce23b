#include "plugin/daemon/options.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "plugin/config/keys.h"
#include "plugin/daemon/print.h"

namespace paceline::daemon {
namespace {

struct Flag {
  const char* name;
  const char* key;
  std::optional<std::string> Options::*value;
};
constexpr Flag kFlags[] = {{"--root", "root", &Options::root},
                           {"--address", "address", &Options::address},
                           {"--log-level", "log.level", &Options::log_level}};

}  // namespace

std::variant<Options, Exit> parse_command_line(int argc, char** argv) {
  Options options;
  CLI::App app{"containerd's proxy content store, which fetches image layers itself over adaptive parallel streams"};
  app.name("pacelined");
  app.set_version_flag("--version", std::string("pacelined ") + PACELINE_VERSION);
  app.footer("Exit codes: 0 stopped when asked to · 1 failed · 2 wrong usage or configuration");
  std::string file;
  app.add_option("--config", file, "configuration file [" + options.config_file.native() + "]");
  app.add_option("--address", options.address, "unix socket to serve on");
  app.add_option("--root", options.root, "folder for everything the daemon keeps");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error or off");
  app.require_subcommand(0, 1);

  auto* config = app.add_subcommand("config", "show or check the configuration, without starting the daemon");
  config->require_subcommand(1);
  auto* show = config->add_subcommand("default", "print a commented file with all defaults");
  auto* check = config->add_subcommand("check", "check a file: exit 0 if it is good, 2 with its mistakes named");
  check->add_option("FILE", file, "the file to check [" + options.config_file.native() + "]");
  auto* reference = config->add_subcommand("reference", "print all keys as a Markdown table");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream text;  // --help, --version
    return app.exit(error, text, std::cerr) == 0 ? print(text.str()) : Exit::kUsage;
  }
  options.config_named = !file.empty();
  if (options.config_named) options.config_file = file;
  if (*show) options.command = Options::Command::kConfigDefault;
  if (*check) options.command = Options::Command::kConfigCheck;
  if (*reference) options.command = Options::Command::kConfigReference;
  return options;
}

Result<config::Config> load_settings(const Options& options) {
  auto settings = config::load(options.config_file);
  if (!settings) {
    const bool fine = settings.error().code == Code::kNotFound && !options.config_named;
    if (!fine) return settings;
    settings = config::Config();
  }
  // A setting on the command line is checked as in the file.
  std::string mistakes;
  for (const auto& flag : kFlags) {
    if (!(options.*flag.value)) continue;
    const auto set = config::set_text(*settings, flag.key, *(options.*flag.value));
    if (!set) mistakes += (mistakes.empty() ? "" : "\n") + set.error().context(flag.name).message;
  }
  if (!mistakes.empty()) return fail(Code::kInvalidArgument, mistakes);
  return settings;
}

}  // namespace paceline::daemon
