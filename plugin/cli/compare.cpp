// paceline compare.
#include <CLI/CLI.hpp>
#include <optional>

#include "plugin/cli/cold_pulls.h"
#include "plugin/cli/compare_views.h"
#include "plugin/cli/format.h"
#include "plugin/cli/image_options.h"
#include "plugin/cli/session.h"
#include "plugin/cli/time_limit.h"

namespace paceline::cli {
namespace {

constexpr unsigned kMostMeasured = 100;

struct CompareArguments {
  std::string a, b;
  ImageOptions options;
  unsigned measure = 0;
};

/// A and B in turn, so that what changes on the path meanwhile meets both.
Outcome<void> measure_both(Session& session, const CompareArguments& arguments, MeasuredPulls& a, MeasuredPulls& b) {
  const auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  for (unsigned i = 0; i < arguments.measure; ++i) {
    for (const auto& [image, pulls] : {std::pair(&arguments.a, &a), std::pair(&arguments.b, &b)}) {
      session.output.note("pull " + std::to_string(i + 1) + " of " + std::to_string(arguments.measure) + ": " + *image,
                          true);
      auto pull = pull_cold(session, **client, *image, !arguments.options.no_unpack);
      if (!pull) return tl::unexpected(pull.error());
      pulls->pulls.push_back(*pull);
    }
  }
  if (session.output.live_errors()) session.output.note({}, true);
  return {};
}

Exit run_comparison(Session& session, const CompareArguments& arguments) {
  std::optional<TimeLimit> limit;
  limit.emplace(session.options.timeout, session.output, "reading " + arguments.a + " and " + arguments.b);
  auto prediction = prepare_prediction(session, arguments.options);
  if (!prediction) return session.output.fail(prediction.error());
  const auto source_a = open_image(session, arguments.a, arguments.options);
  if (!source_a) return session.output.fail(source_a.error());
  const auto source_b = open_image(session, arguments.b, arguments.options);
  if (!source_b) return session.output.fail(source_b.error());
  const std::string& registry = (*source_a)->info().registry;
  if (arguments.measure > 0 && (registry.empty() || (*source_b)->info().registry.empty())) {
    return session.output.fail({Exit::kUsage, "--measure pulls from registries: both images have to be references"});
  }
  const auto path = choose_path(*prediction, registry, arguments.options);
  if (!path) return session.output.fail(path.error());
  const auto a = read_image(session, arguments.a, **source_a);
  if (!a) return session.output.fail(a.error());
  const auto b = read_image(session, arguments.b, **source_b);
  if (!b) return session.output.fail(b.error());
  limit.reset();  // Each call of the daemon has its own, and what was pulled is dropped again.
  MeasuredPulls measured_a, measured_b;
  if (arguments.measure > 0) {
    if (auto measured = measure_both(session, arguments, measured_a, measured_b); !measured) {
      return session.output.fail(measured.error());
    }
  }
  const auto comparison = compare_images(*a, *b, prediction->target);
  const ComparedImages images{*a, *b, comparison, measured_a, measured_b, *prediction};
  switch (session.options.format) {
    case Options::Format::kJson:
      session.output.object(comparison_json(images));
      break;
    case Options::Format::kHtml:
      session.output.text(comparison_html(images));
      break;
    default:
      session.output.text(comparison_text(images, session.output.style()));
  }
  return Exit::kOk;
}

}  // namespace

void add_compare(CLI::App& app, Action& chosen) {
  auto* command =
      app.add_subcommand("compare", "Set two images side by side: sizes, pull times, and what the difference is");
  auto arguments = std::make_shared<CompareArguments>();
  command->add_option("A", arguments->a, "As analyze's IMAGE")->required();
  command->add_option("B", arguments->b, "As analyze's IMAGE")->required();
  arguments->options.add_to(*command);
  command
      ->add_option("--measure", arguments->measure,
                   "Also pull both cold that often, in turn, through the daemon, and drop them again")
      ->check(CLI::Range(1U, kMostMeasured))
      ->type_name("N");
  command->footer(
      "The time between A and B is split into what comes of compressed bytes, of uncompressed bytes, of files and of "
      "how\n"
      "they are spread over layers. Measured pulls unpack with the daemon's snapshotter, unless --no-unpack; an image "
      "that\n"
      "is on the node already is not measured.\n\n"
      "Examples:\n"
      "  paceline compare registry.example/app:1 registry.example/app:2 --measure 5\n"
      "  paceline compare before.tar after.tar --path 10mbps-100ms");
  command->callback(
      [&chosen, arguments] { chosen = [arguments](Session& session) { return run_comparison(session, *arguments); }; });
}

}  // namespace paceline::cli
