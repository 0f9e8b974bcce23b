// Lines at the bottom of a terminal that are redrawn in place, below text that scrolls.
// Thread rule: one thread. Borrows the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/cli/terminal.h"

namespace paceline::cli {

class LiveArea {
 public:
  explicit LiveArea(const Terminal& terminal) : terminal_(terminal) {}

  void draw(const std::vector<std::string>& lines);
  /// A line that stays, above the area.
  void print(std::string_view line);
  /// Takes the area away.
  void clear() { draw({}); }

  /// What to send so that `lines` replace `before`, of which the cursor stands below. Lines that a narrower window has
  /// wrapped are counted as the rows they take now.
  static std::string repaint(const std::vector<std::string>& before, const std::vector<std::string>& lines,
                             std::string_view above, unsigned columns);

 private:
  const Terminal& terminal_;
  std::vector<std::string> shown_;
};

}  // namespace paceline::cli
