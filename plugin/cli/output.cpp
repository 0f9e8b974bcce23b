#include "plugin/cli/output.h"

#include "plugin/cli/format.h"

namespace paceline::cli {

Output::Output(const Options& options, const Terminal& terminal, const Terminal& error_terminal, std::ostream& out,
               std::ostream& err)
    : terminal_(terminal),
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

Exit Output::fail(const Failure& failure) {
  error(failure.message);
  return failure.exit;
}

}  // namespace paceline::cli
