// The command line of pacelined, and the settings it leads to. Values, any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "plugin/config/config.h"

namespace paceline::daemon {

/// Documented in docs/errors.md.
enum class Exit { kOk = 0, kFailed = 1, kUsage = 2 };

struct Options {
  enum class Command { kRun, kConfigDefault, kConfigCheck, kConfigReference };
  Command command = Command::kRun;
  std::filesystem::path config_file = "/etc/paceline/config.toml";
  bool config_named = false;  ///< Then the file must exist.
  // These win over the file.
  std::optional<std::string> address;
  std::optional<std::string> root;
  std::optional<std::string> log_level;
};

/// The options, or the code to exit with at once (help, version and mistakes are printed).
std::variant<Options, Exit> parse_command_line(int argc, char** argv);

/// File and command line together.
Result<config::Config> load_settings(const Options& options);

}  // namespace paceline::daemon
