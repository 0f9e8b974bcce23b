// Runs a program without a shell and takes what it prints. Bounded in time and output; nothing that it started, in its
// own process group, outlives the call. Any thread; blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"

namespace paceline {

struct Program {
  std::string path;
  std::vector<std::string> arguments;  ///< Without the program's own name.
  std::string input;                   ///< On its standard input.
  bool with_errors = false;            ///< Standard error is part of the output; else nobody reads it.
};

struct Ended {
  int status = 0;  ///< As of waitpid(2).
  std::string output;

  [[nodiscard]] bool succeeded() const { return status == 0; }
  /// "exit status 1", "killed by signal 9".
  [[nodiscard]] std::string how() const;
};

/// kDeadlineExceeded: it ran longer than `timeout` and was killed. kResourceExhausted: it printed more than
/// `most_output` bytes. Messages do not hold what it printed.
Result<Ended> run_program(const Program& program, Duration timeout, std::size_t most_output);

/// The file of that name in the first folder of `search_path` (as PATH) that has it; empty: none. Never looks in the
/// working directory.
std::string find_program(const std::string& name, std::string_view search_path);

}  // namespace paceline
