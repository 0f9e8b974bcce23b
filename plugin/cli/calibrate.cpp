// paceline calibrate: the pull-time model's coefficients for this node.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "plugin/cli/format.h"
#include "plugin/cli/node_model.h"
#include "plugin/cli/session.h"
#include "plugin/cli/table.h"

namespace paceline::cli {
namespace {

std::string calibration_text(const NodeModel& model) {
  const auto& costs = model.calibration.costs;
  Table table({{"COEFFICIENT"}, {"VALUE", Table::Align::kRight}, {""}});
  const auto row = [&](const char* name, double value, const char* unit) {
    table.row({name, fmt::format("{:.4g}", value), unit});
  };
  row("start", 1000 * costs.start, "ms a pull");
  row("setup", costs.setup, "times the round trips of handshakes and manifests");
  row("ramp", costs.ramp, "round trips until the streams fill the path");
  row("fill", 100 * costs.fill, "% of the path's goodput");
  row("verify", 1e9 * costs.verify_byte, "ms of CPU a compressed MB");
  row("inflate", 1e9 * costs.inflate_byte, "ms of CPU an uncompressed MB");
  row("unpack, layer", 1000 * costs.unpack_layer, "ms of CPU");
  row("unpack, bytes", 1e9 * costs.unpack_byte, "ms of CPU an uncompressed MB");
  row("unpack, file", 1e6 * costs.unpack_file, "µs of CPU");
  row("settle", 1000 * costs.settle, "ms after the last byte");
  row("settle, bytes", 1e9 * costs.settle_byte, "ms a compressed MB");
  row("cores", costs.cores, "that a pull has");
  std::string out = table.text();
  if (!model.paths.empty()) {
    Table paths(
        {{"HOST"}, {"RTT", Table::Align::kRight}, {"RATE", Table::Align::kRight}, {"A STREAM", Table::Align::kRight}});
    for (const auto& [host, path] : model.paths) {
      paths.row({printable(host), fmt::format("{:.1f} ms", 1000 * adaptive::seconds(path.rtt_blob)),
                 format_rate(path.link_rate * adaptive::kWireEfficiency), format_rate(path.connection_cap)});
    }
    out += "\n" + paths.text();
  }
  return out + "\n" + printable(model.describe()) + "\n";
}

Exit run_calibration(Session& session, const std::string& file) {
  Outcome<std::vector<records::ColdStart>> records = tl::unexpected(Failure{});
  if (file.empty()) {
    const auto client = session.connect();
    if (!client) return session.output.fail(client.error());
    records = fetch_all_records(**client);
  } else {
    records = read_records(file);
  }
  if (!records) return session.output.fail(records.error());
  const NodeModel model = model_of(*records, file.empty() ? "this node's records" : file);
  if (model.calibration.pulls == 0) {
    return session.output.fail({Exit::kFailed, model.source + "; pull some images first"});
  }
  if (session.output.json()) {
    session.output.object(to_json(model));
  } else {
    session.output.text(calibration_text(model));
  }
  return Exit::kOk;
}

}  // namespace

void add_calibrate(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("calibrate", "Fit the pull-time model to the pulls on record");
  auto file = std::make_shared<std::string>();
  command->add_option("--records", *file, "JSON lines as the daemon's records.jsonl; default: ask the daemon")
      ->type_name("FILE");
  command->footer(
      "analyze, compare and explain fit the model to this node's records by themselves. Save a calibration to use it\n"
      "elsewhere, e.g. in CI, with their --calibration. docs/analyze.md explains the coefficients.\n\n"
      "Examples:\n"
      "  paceline calibrate\n"
      "  paceline calibrate --output json > node.json");
  command->callback([&chosen, file] { chosen = [file](Session& session) { return run_calibration(session, *file); }; });
}

}  // namespace paceline::cli
