// The terminal, if standard output is one: its size, asked for at every use, so that a resize needs no signal handler.
// Thread rule: one thread. Borrows the descriptor.
#pragma once

#include <string_view>

namespace paceline::cli {

struct Screen {
  unsigned columns = 80;
  unsigned rows = 24;
};

class Terminal {
 public:
  explicit Terminal(int fd);
  /// A terminal that can move its cursor.
  [[nodiscard]] bool interactive() const { return interactive_; }
  [[nodiscard]] Screen screen() const;
  /// All of it in one write(2) where the kernel allows: a frame never shows half drawn.
  void write(std::string_view text) const;

 private:
  int fd_;
  bool interactive_;
};

}  // namespace paceline::cli
