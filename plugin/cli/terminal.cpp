#include "plugin/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace paceline::cli {

Terminal::Terminal(int fd) : fd_(fd), interactive_(false) {
  const char* type = std::getenv("TERM");
  interactive_ = ::isatty(fd) == 1 && type != nullptr && std::string_view(type) != "dumb";
}

Screen Terminal::screen() const {
  winsize size{};
  if (::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Terminal::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // The terminal has gone; the command's work goes on.
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace paceline::cli
