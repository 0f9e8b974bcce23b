// paceline completion bash: made from the commands themselves, so it is never out of date.
#include <CLI/CLI.hpp>

#include "plugin/cli/choice.h"
#include "plugin/cli/session.h"

namespace paceline::cli {
namespace {

std::string long_options(const CLI::App& app) {
  std::string words;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

std::string bash(const CLI::App& root) {
  std::string commands;
  std::string cases;
  for (const auto* command : root.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    commands += " " + command->get_name();
    cases += "    " + command->get_name() + ") words=\"" + long_options(*command).substr(1) + "\" ;;\n";
  }
  return "# bash completion for paceline: put this into /etc/bash_completion.d/paceline\n"
         "_paceline() {\n"
         "  local word=\"${COMP_WORDS[COMP_CWORD]}\" words=\"" +
         commands.substr(1) +
         "\" i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"${COMP_WORDS[i]}\" in\n" +
         cases +
         "    esac\n"
         "  done\n"
         "  COMPREPLY=($(compgen -W \"$words" +
         long_options(root) +
         "\" -- \"$word\"))\n"
         "}\n"
         "complete -F _paceline paceline\n";
}

}  // namespace

void add_completion(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("completion", "Print a completion script for a shell")->group("");
  auto shell = std::make_shared<std::string>();
  add_choice<std::string>(*command, "SHELL", *shell, {{"bash", "bash"}}, "bash")->required();
  command->footer(
      "Example:\n"
      "  paceline completion bash > /etc/bash_completion.d/paceline");
  command->callback([&chosen, &app, shell] {  // The option writes into `shell`: it must live as long as the parser.
    chosen = [&app](Session& session) {
      session.output.text(bash(app));
      return Exit::kOk;
    };
  });
}

}  // namespace paceline::cli
