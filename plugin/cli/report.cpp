// paceline report.
#include <CLI/CLI.hpp>

#include "plugin/base/text.h"
#include "plugin/cli/choice.h"
#include "plugin/cli/report_views.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

struct ReportArguments {
  std::chrono::nanoseconds since{0};
  GroupBy by = GroupBy::kPolicy;
  std::string source;
  bool pulls = false;
};

Outcome<std::vector<v1::RecordSummary>> fetch_records(Session& session, Client& client,
                                                      const ReportArguments& arguments) {
  v1::ListRecordsRequest request;
  if (arguments.since.count() > 0) {
    request.set_since_unix_ms(session.now_unix_ms() -
                              std::chrono::duration_cast<std::chrono::milliseconds>(arguments.since).count());
  }
  const auto stream = client.stream(&Client::Stub::ListRecords, request);
  std::vector<v1::RecordSummary> out;
  v1::ListRecordsResponse message;
  while (stream->read(message)) {
    for (auto& record : *message.mutable_records()) {
      if (arguments.source.empty() || record.source() == arguments.source) out.push_back(std::move(record));
    }
  }
  if (auto end = stream->finish(); !end) return tl::unexpected(end.error());
  return out;
}

Exit report(Session& session, const ReportArguments& arguments) {
  if (arguments.pulls && session.options.format == Options::Format::kHtml) {
    return session.output.fail({Exit::kUsage, "the list of pulls is a table, json or csv: there is no page of it"});
  }
  const auto client = session.connect();
  if (!client) return session.output.fail(client.error());
  const auto all = fetch_records(session, **client, arguments);
  if (!all) return session.output.fail(all.error());
  if (arguments.pulls) {
    if (session.output.json()) {
      for (const auto& record : *all) session.output.object(to_json(record));
    } else if (session.options.format == Options::Format::kCsv) {
      session.output.text(records_csv(*all));
    } else {
      session.output.text(records_table(*all, session.now_unix_ms()));
    }
    return Exit::kOk;
  }
  const Report made = make_report(*all, arguments.by);
  switch (session.options.format) {
    case Options::Format::kTable:
      session.output.text(report_table(made, session.output.style()));
      break;
    case Options::Format::kJson:
      for (const auto& row : report_json(made)) session.output.object(row);
      break;
    case Options::Format::kCsv:
      session.output.text(report_csv(made));
      break;
    case Options::Format::kHtml:
      session.output.text(report_html(made));
      break;
  }
  return Exit::kOk;
}

}  // namespace

void add_report(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("report", "Compare the cold starts that are on record");
  auto arguments = std::make_shared<ReportArguments>();
  command
      ->add_option_function<std::string>(
          "--since", [arguments](const std::string& text) { arguments->since = *parse_duration(text); },
          "Only pulls of the last e.g. 30m, 24h; default: all that are kept")
      ->check(CLI::Validator(
          [](std::string& text) {
            const auto duration = parse_duration(text);
            return duration ? std::string() : duration.error().message;
          },
          "", "duration"))
      ->type_name("DURATION");
  add_choice<GroupBy>(*command, "--by", arguments->by,
                      {{"policy", GroupBy::kPolicy}, {"registry", GroupBy::kRegistry}, {"image", GroupBy::kImage}},
                      "policy, registry or image; default: policy")
      ->type_name("GROUP");
  add_choice<std::string>(*command, "--source", arguments->source,
                          {{"foreground", "foreground"}, {"prefetch", "prefetch"}, {"adopted", "adopted"}},
                          "Only these: foreground, prefetch or adopted")
      ->type_name("SOURCE");
  command->add_flag("--pulls", arguments->pulls, "List the pulls themselves, newest first");
  command->footer(
      "Medians with 95 % intervals (bootstrap, always the same for the same records). × BOUND is the time in parts of\n"
      "what the path allowed at best. By policy, each pull counts in parts of its image's usual time, and the report\n"
      "says so when the data cannot tell. --output also knows csv and html.\n\n"
      "Examples:\n"
      "  paceline report --since 24h\n"
      "  paceline report --by image --output csv\n"
      "  paceline report --pulls --output json | jq -r 'select(.pull_ms > 10000) | .pull_id'");
  command->callback(
      [&chosen, arguments] { chosen = [arguments](Session& session) { return report(session, *arguments); }; });
}

}  // namespace paceline::cli
