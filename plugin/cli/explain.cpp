// paceline explain.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "plugin/cli/analyze_views.h"
#include "plugin/cli/explain_view.h"
#include "plugin/cli/node_model.h"
#include "plugin/cli/session.h"
#include "plugin/records/diagnosis.h"
#include "plugin/records/pull_observations.h"

namespace paceline::cli {
namespace {

/// What the pull-time model says of a pull that was measured.
struct Modelled {
  adaptive::PullPrediction predicted;
  double measured = 0;  ///< Seconds.
  NodeModel model;

  [[nodiscard]] double error() const { return (predicted.total() - measured) / measured; }
};

/// Empty for a record that the model has nothing to say of, e.g. of a pull that failed.
std::optional<Modelled> ask_model(Session& session, const records::ColdStart& record) {
  auto model = load_model(session, {});
  if (!model) return std::nullopt;
  auto paths = model->paths;
  paths.merge(records::known_paths({record}));
  const auto pull = records::observe(record, paths);
  if (!pull || pull->total <= 0) return std::nullopt;
  return Modelled{adaptive::predict_pull(pull->layers, pull->path, model->calibration.costs, pull->options),
                  pull->total, std::move(*model)};
}

std::string model_text(const Modelled& modelled) {
  const auto& parts = modelled.predicted;
  return fmt::format(
      "The pull-time model: {} (setup {}, fetch {}, verify {}, unpack {}); measured {}: {:+.0f} %.\nIt is {}.\n",
      seconds_text(parts.total()), seconds_text(parts.setup), seconds_text(parts.fetch), seconds_text(parts.verify),
      seconds_text(parts.unpack), seconds_text(modelled.measured), 100 * modelled.error(), modelled.model.describe());
}

Exit explain(Session& session, const std::string& id) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::GetRecordRequest request;
  request.set_pull_id(id);
  const auto response = (*client)->call(&Client::Stub::GetRecord, request);
  if (!response) return session.output.fail(response.error());
  const auto record = records::from_json(response->json());
  if (!record) return session.output.fail({Exit::kFailed, record.error().message});
  const auto modelled = ask_model(session, *record);
  if (session.output.json()) {
    auto object = Json::parse(response->json());  // from_json() has read it already.
    const auto diagnosis = records::diagnose(*record);
    object["bottleneck"] = std::string(records::bottleneck_name(diagnosis.bottleneck));
    object["verdict"] = diagnosis.verdict;
    object["evidence"] = diagnosis.evidence;
    object["model"] = nullptr;
    if (modelled) {
      object["model"] = to_json(modelled->predicted);
      object["model"]["measured_ms"] = 1000 * modelled->measured;
      object["model"]["fit"] = error_json(modelled->model);
    }
    session.output.object(object);
  } else {
    const std::size_t width = session.output.terminal().interactive()
                                  ? static_cast<std::size_t>(session.output.terminal().screen().columns)
                                  : 100;
    session.output.text(explain_text(*record, session.output.style(), width));
    if (modelled) session.output.text(model_text(*modelled));
  }
  return Exit::kOk;
}

}  // namespace

void add_explain(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("explain", "Show where one pull's time went, and what bounded it");
  auto id = std::make_shared<std::string>();
  command->add_option("PULL", *id, "Its id, or a beginning that is no other's; 'paceline report --pulls' shows them")
      ->required();
  command->footer(
      "Prints the pull's phases and layers as bars, its streams with reasons, and the bottleneck with the figures\n"
      "behind it. docs/records.md explains them.\n\n"
      "Examples:\n"
      "  paceline explain PULL\n"
      "  paceline explain PULL --output json | jq -r .bottleneck");
  command->callback([&chosen, id] { chosen = [id](Session& session) { return explain(session, *id); }; });
}

}  // namespace paceline::cli
