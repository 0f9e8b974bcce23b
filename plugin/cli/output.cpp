#include "plugin/cli/output.h"

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

void Output::text(std::string_view text) { out_ << text << std::flush; }

void Output::line(std::string_view text) { out_ << text << '\n' << std::flush; }

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
