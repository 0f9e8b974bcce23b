// paceline explain.
#include <CLI/CLI.hpp>

#include "plugin/cli/explain_view.h"
#include "plugin/cli/session.h"
#include "plugin/records/diagnosis.h"

namespace paceline::cli {
namespace {

Exit explain(Session& session, const std::string& id) {
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  v1::GetRecordRequest request;
  request.set_pull_id(id);
  const auto response = (*client)->call(&Client::Stub::GetRecord, request);
  if (!response) return session.output.fail(response.error());
  const auto record = records::from_json(response->json());
  if (!record) return session.output.fail({Exit::kFailed, record.error().message});
  if (session.output.json()) {
    auto object = Json::parse(response->json());  // from_json() has read it already.
    const auto diagnosis = records::diagnose(*record);
    object["bottleneck"] = std::string(records::bottleneck_name(diagnosis.bottleneck));
    object["verdict"] = diagnosis.verdict;
    object["evidence"] = diagnosis.evidence;
    session.output.object(object);
  } else {
    const std::size_t width = session.output.terminal().interactive()
                                  ? static_cast<std::size_t>(session.output.terminal().screen().columns)
                                  : 100;
    session.output.text(explain_text(*record, session.output.style(), width));
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
