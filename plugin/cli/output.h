// Where a command prints: results to standard output, errors to standard error. Thread rule: one thread.
#pragma once

#include <optional>
#include <ostream>
#include <string_view>

#include "plugin/cli/failure.h"
#include "plugin/cli/json.h"
#include "plugin/cli/options.h"
#include "plugin/cli/style.h"
#include "plugin/cli/terminal.h"

namespace paceline::cli {

class Output {
 public:
  Output(const Options& options, const Terminal& terminal, const Terminal& error_terminal, std::ostream& out,
         std::ostream& err);

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] const Style& style() const { return style_; }
  [[nodiscard]] const Terminal& terminal() const { return terminal_; }
  /// Bars that are redrawn in place.
  [[nodiscard]] bool live() const { return !json_ && terminal_.interactive(); }

  void text(std::string_view text);  ///< As it is.
  void line(std::string_view text);
  void object(const Json& object);  ///< One line.
  void error(std::string_view message);
  /// How far something is, on standard error: on a terminal (live_errors) a line that the next note replaces (`again`);
  /// an empty one takes it away.
  void note(std::string_view text, bool again);
  [[nodiscard]] bool live_errors() const { return error_terminal_.interactive(); }
  /// Prints the failure and answers what to exit with.
  Exit fail(const Failure& failure);

  /// Whether some of the results did not go out: the disk is full, or the reader went away.
  [[nodiscard]] bool lost() const { return lost_.has_value(); }
  /// What a command that ended with `exit` exits with: what was lost makes a success a failure, and is said.
  Exit end(Exit exit);

 private:
  void put(std::string_view text, std::string_view end);

  const Terminal& terminal_;
  const Terminal& error_terminal_;
  std::ostream& out_;
  std::ostream& err_;
  bool json_;
  Style style_;
  Style error_style_;
  std::optional<int> lost_;  // The first failure's errno; 0: not known.
};

}  // namespace paceline::cli
