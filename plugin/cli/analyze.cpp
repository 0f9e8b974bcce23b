// paceline analyze.
#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>

#include "plugin/base/text.h"
#include "plugin/cli/analyze_views.h"
#include "plugin/cli/format.h"
#include "plugin/cli/image_options.h"
#include "plugin/cli/session.h"
#include "plugin/cli/time_limit.h"

namespace paceline::cli {
namespace {

/// "50MB", or "10%" of all files' bytes.
struct WasteLimit {
  std::uint64_t bytes = 0;
  std::optional<double> part;

  static Result<WasteLimit> parse(const std::string& text) {
    WasteLimit limit;
    if (text.ends_with('%')) {
      const char* const sign = text.data() + text.size() - 1;
      double percent = -1;
      const auto [end, error] = std::from_chars(text.data(), sign, percent, std::chars_format::fixed);
      if (error != std::errc{} || end != sign || !(percent >= 0 && percent <= 100)) {
        return fail(Code::kInvalidArgument, "'" + text + "' is no share: e.g. 10%");
      }
      limit.part = percent / 100;
      return limit;
    }
    auto bytes = parse_bytes(text);
    if (!bytes) return fail(bytes.error());
    limit.bytes = *bytes;
    return limit;
  }
  [[nodiscard]] bool is_passed(const analyze::Analysis& analysis) const {
    const double wasted = static_cast<double>(analysis.waste().bytes);
    return wasted > (part ? *part * static_cast<double>(analysis.all().bytes) : static_cast<double>(bytes));
  }
};

struct AnalyzeArguments {
  std::string image;
  ImageOptions options;
  std::string max_waste;
  std::string max_pull_time;
  bool files = false;
};

void print(Session& session, const AnalyzeArguments& arguments, const analyze::Analysis& analysis,
           const analyze::AdviceList& advice, const Prediction& prediction) {
  switch (session.options.format) {
    case Options::Format::kJson:
      session.output.object(analysis_json(analysis, advice, prediction, arguments.files));
      return;
    case Options::Format::kHtml:
      session.output.text(analysis_html(analysis, advice, prediction));
      return;
    default:
      session.output.text(analysis_text(analysis, advice, prediction, session.output.style()));
  }
}

Exit run_analysis(Session& session, const AnalyzeArguments& arguments) {
  const TimeLimit limit(session.options.timeout, session.output, "reading " + arguments.image);
  auto prediction = prepare_prediction(session, arguments.options);
  if (!prediction) return session.output.fail(prediction.error());
  const auto source = open_image(session, arguments.image, arguments.options);
  if (!source) return session.output.fail(source.error());
  const auto path = choose_path(*prediction, (*source)->info().registry, arguments.options);
  if (!path) return session.output.fail(path.error());
  const auto analysis = read_image(session, arguments.image, **source);
  if (!analysis) return session.output.fail(analysis.error());
  const auto advice = analyze::advise(*analysis, prediction->target);
  print(session, arguments, *analysis, advice, *prediction);

  Exit exit = Exit::kOk;
  if (!arguments.max_waste.empty() && WasteLimit::parse(arguments.max_waste)->is_passed(*analysis)) {
    session.output.error("waste of " + format_bytes(analysis->waste().bytes) + " is above --max-waste " +
                         arguments.max_waste);
    exit = Exit::kGate;
  }
  // A time that is no number passes no gate.
  if (!arguments.max_pull_time.empty() &&
      !(advice.now.total() <= std::chrono::duration<double>(*parse_duration(arguments.max_pull_time)).count())) {
    session.output.error("the predicted pull time of " + seconds_text(advice.now.total()) +
                         " is above --max-pull-time " + arguments.max_pull_time);
    exit = Exit::kGate;
  }
  return exit;
}

std::string check_waste(std::string& text) {
  const auto limit = WasteLimit::parse(text);
  return limit ? std::string() : limit.error().message;
}

std::string check_time(std::string& text) {
  const auto duration = parse_duration(text);
  return duration ? std::string() : duration.error().message;
}

}  // namespace

void add_analyze(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("analyze", "Take an image apart: what is in it, what it costs, what to leave out");
  auto arguments = std::make_shared<AnalyzeArguments>();
  command
      ->add_option(
          "IMAGE", arguments->image,
          "A reference in a registry; the folder of an OCI layout; an archive of docker save or of an OCI layout; "
          "with --store: a manifest's digest or an image that was pulled")
      ->required();
  arguments->options.add_to(*command);
  command
      ->add_option("--max-waste", arguments->max_waste,
                   "Exit 6 if more than e.g. 50MB or 10% of the files' bytes is waste")
      ->check(CLI::Validator(check_waste, "", "size"))
      ->type_name("SIZE|%");
  command
      ->add_option("--max-pull-time", arguments->max_pull_time,
                   "Exit 6 if the predicted pull takes longer than e.g. 8s")
      ->check(CLI::Validator(check_time, "", "duration"))
      ->type_name("DURATION");
  command->add_flag("--files", arguments->files,
                    "With --output json: the paths of all that is waste, by class and layer");
  command->footer(
      "Every layer is read once and nothing is stored or unpacked. Needs no daemon; with one, times are of this node.\n"
      "docs/analyze.md explains the figures and what is, and is not, called waste.\n\n"
      "Examples:\n"
      "  paceline analyze registry.example/team/function:1\n"
      "  paceline analyze --path 10mbps-100ms ./oci-layout\n"
      "  docker save app:1 -o app.tar && paceline analyze app.tar --max-waste 10% --max-pull-time 8s --path "
      "100mbps-35ms\n"
      "  paceline analyze app.tar --output html > app.html");
  command->callback(
      [&chosen, arguments] { chosen = [arguments](Session& session) { return run_analysis(session, *arguments); }; });
}

}  // namespace paceline::cli
