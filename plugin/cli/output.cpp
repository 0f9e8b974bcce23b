#include "plugin/cli/output.h"

#include <cerrno>
#include <system_error>

#include "plugin/cli/format.h"

namespace paceline::cli {

Output::Output(const Options& options, const Terminal& terminal, const Terminal& error_terminal, std::ostream& out,
               std::ostream& err)
    : terminal_(terminal),
      error_terminal_(error_terminal),
      out_(out),
      err_(err),
      json_(options.format == Options::Format::kJson),
      style_(options.colour && terminal.interactive()),
      error_style_(options.colour && error_terminal.interactive()) {}

void Output::text(std::string_view text) { put(text, {}); }

void Output::line(std::string_view text) { put(text, "\n"); }

void Output::put(std::string_view text, std::string_view end) {
  errno = 0;
  out_ << text << end << std::flush;
  if (!out_ && !lost_) lost_ = errno;
}

Exit Output::end(Exit exit) {
  if (!lost_) return exit;
  // A reader that went away has had enough; most often SIGPIPE has ended this program before.
  if (*lost_ != EPIPE) {
    error("cannot write the output" + (*lost_ == 0 ? "" : ": " + std::generic_category().message(*lost_)));
  }
  return exit == Exit::kOk ? Exit::kFailed : exit;
}

void Output::object(const Json& object) { line(to_line(object)); }

void Output::error(std::string_view message) {
  err_ << error_style_.bad("error:") << ' ' << printable(message) << '\n' << std::flush;
}

void Output::note(std::string_view text, bool again) {
  if (!live_errors()) {
    err_ << printable(text) << '\n' << std::flush;
    return;
  }
  if (again) err_ << "\r\x1b[K";
  err_ << clip(printable(text), error_terminal_.screen().columns - 1) << std::flush;
}

Exit Output::fail(const Failure& failure) {
  error(failure.message);
  return failure.exit;
}

}  // namespace paceline::cli
