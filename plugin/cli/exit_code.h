// The exit codes, a promise to scripts (docs/cli.md). Pure functions, any thread.
#pragma once

#include <grpcpp/support/status_code_enum.h>

#include <string_view>

namespace paceline::cli {

enum class Exit {
  kOk = 0,
  kFailed = 1,         ///< The operation, or a part of it, failed.
  kUsage = 2,          ///< The command line is wrong, or the daemon refused a value on it.
  kUnreachable = 3,    ///< The daemon does not run, may not be asked, or went away.
  kNotFound = 4,       ///< No such image, pull, blob or pin.
  kTimeout = 5,        ///< --timeout passed.
  kGate = 6,           ///< All was done, and what it found is above a limit that was set (--max-…).
  kInterrupted = 130,  ///< Ctrl-C.
};

[[nodiscard]] Exit exit_for(grpc::StatusCode code);

/// For a pull that failed, by the name of its error's code: its "unavailable" is a registry's, not the daemon's.
[[nodiscard]] Exit exit_for_pull(std::string_view code);

/// What a command made of several parts exits with: the one reason all failures share, else kFailed.
[[nodiscard]] Exit combine(Exit sum, Exit part);

inline constexpr std::string_view kExitCodeHelp =
    "Exit codes: 0 ok · 1 failed · 2 wrong usage · 3 daemon unreachable · 4 not found · 5 timed out · 6 above a limit "
    "that was "
    "set · 130 interrupted";

}  // namespace paceline::cli
