#include "plugin/cli/app.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <set>
#include <sstream>

#include "plugin/base/text.h"
#include "plugin/cli/choice.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

constexpr std::string_view kDescription =
    "paceline - asks for container images ahead of time and looks after Paceline's store, through the daemon "
    "pacelined\n";

constexpr std::string_view kExamples =
    "\nExamples:\n"
    "  paceline status                                the daemon at a glance\n"
    "  paceline prefetch docker.io/library/redis:7    fetch an image before it is needed\n"
    "  paceline pulls --watch                         follow everything that is being pulled\n"
    "  paceline COMMAND --help                        a command's options, with examples\n\n";

constexpr std::string_view kJsonHelp =
    "\n--output json prints one JSON object a line; a list prints a line an entry. docs/cli.md has the fields.\n";

std::string check_duration(std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) return duration.error().message;
  return duration->count() > 0 ? "" : "the timeout must be longer than 0";
}

void add_global_options(CLI::App& app, Options& options) {
  app.add_option("--address", options.address, "The daemon's unix socket")
      ->envname("PACELINE_ADDRESS")
      ->capture_default_str();
  add_choice<Options::Format>(app, "-o,--output", options.format,
                              {{"table", Options::Format::kTable},
                               {"json", Options::Format::kJson},
                               {"csv", Options::Format::kCsv},
                               {"html", Options::Format::kHtml}},
                              "table or json; for report also csv or html, for analyze and compare html")
      ->type_name("FORMAT");
  app.add_flag_callback(
      "--no-color", [&options] { options.colour = false; }, "No colours; so does NO_COLOR=1");
  app.add_option_function<std::string>(
         "--timeout", [&options](const std::string& text) { options.timeout = *parse_duration(text); },
         "Give up after e.g. 90s or 10m; default: 30s, none for commands that wait or follow")
      ->check(CLI::Validator(check_duration, "", "duration"))
      ->type_name("DURATION");
}

void add_commands(CLI::App& app, Action& chosen) {
  for (const auto add :
       {add_prefetch, add_pulls,     add_status, add_cancel,  add_blobs,     add_verify,  add_pin,
        add_unpin,    add_pins,      add_evict,  add_paths,   add_report,    add_explain, add_analyze,
        add_compare,  add_calibrate, add_doctor, add_install, add_uninstall, add_version, add_completion}) {
    add(app, chosen);
  }
  // These ask no daemon and print no results.
  static const std::set<std::string> kAlone = {"install", "uninstall", "completion"};
  for (auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->fallthrough();  // "paceline pulls --output json" is as good as "paceline --output json pulls".
    if (kAlone.contains(command->get_name())) continue;
    const std::string footer = command->get_footer();
    command->footer(footer + (footer.empty() ? "" : "\n\n") +
                    "Also --address, --output, --timeout and --no-color: see paceline --help");
  }
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv, std::ostream& err) {
  std::vector<std::string> commands;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
  }
  const auto parsed = app.get_subcommands();
  const bool wrong_command = parsed.empty() && argc > 1 && argv[1][0] != '-' && argv[1][0] != '\0';
  if (wrong_command) {
    const std::string near = nearest_word(argv[1], commands);
    err << "error: there is no command '" << argv[1] << "'" << (near.empty() ? "" : "; did you mean '" + near + "'?");
  } else if (parsed.empty() && error.get_name() == "RequiredError") {
    err << "error: no command is given";
  } else {
    err << "error: " << error.what();
  }
  err << "\nSee: paceline " << (parsed.empty() ? "" : parsed.front()->get_name() + " ") << "--help\n";
  return static_cast<int>(Exit::kUsage);
}

}  // namespace

int run(int argc, char** argv, std::ostream& out, std::ostream& err) {
  Options options;
  Action chosen;
  CLI::App app{std::string(kDescription), "paceline"};
  app.get_formatter()->column_width(28);
  app.require_subcommand(1);
  app.set_version_flag("--version", "paceline " PACELINE_VERSION, "This client's version");
  add_global_options(app, options);
  add_commands(app, chosen);
  // After the commands, which would take it for theirs.
  app.footer(std::string(kExamples) + std::string(kExitCodeHelp) + std::string(kJsonHelp));

  const Terminal terminal(STDOUT_FILENO);
  const Terminal error_terminal(STDERR_FILENO);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    std::ostringstream text;  // --help, --version
    app.exit(success, text, err);
    Output output(options, terminal, error_terminal, out, err);
    output.text(text.str());
    return static_cast<int>(output.end(Exit::kOk));
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error, argc, argv, err);
  }

  const bool csv = options.format == Options::Format::kCsv && !app.got_subcommand("report");
  const bool html = options.format == Options::Format::kHtml && !app.got_subcommand("report") &&
                    !app.got_subcommand("analyze") && !app.got_subcommand("compare");
  if (csv || html) {
    err << "error: --output " << (csv ? "csv is for reports" : "html is for report, analyze and compare")
        << " only\nSee: paceline report --help\n";
    return static_cast<int>(Exit::kUsage);
  }

  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') options.colour = false;
  Interrupts interrupts;
  const SystemClock clock;
  Output output(options, terminal, error_terminal, out, err);
  Session session{options, output, interrupts, clock};
  return static_cast<int>(output.end(chosen(session)));
}

}  // namespace paceline::cli
