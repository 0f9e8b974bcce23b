#include "plugin/daemon/print.h"

#include <cerrno>
#include <cstdio>

#include "plugin/base/result.h"

namespace paceline::daemon {

Exit print(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return Exit::kOk;
  if (errno != EPIPE) {
    const auto error = errno_error(errno, "cannot write the output");
    std::fprintf(stderr, "pacelined: %s\n", error.message.c_str());
  }
  return Exit::kFailed;
}

}  // namespace paceline::daemon
