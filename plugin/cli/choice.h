// Options whose value is one of a few words. Used while the command line is built; one thread.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace paceline::cli {

/// Empty if `word` is one of `words`, else what to say of it. CLI11's own checks also take an enum's numbers.
[[nodiscard]] std::string check_word(const std::string& word, const std::vector<std::string>& words);

/// An option that puts the value of one of these words into `into`, which outlives the parsing.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& names, T& into,
                        const std::vector<std::pair<std::string, T>>& choices, const std::string& description) {
  std::vector<std::string> words;
  words.reserve(choices.size());
  for (const auto& choice : choices) words.push_back(choice.first);
  const auto set = [&into, choices](const std::string& word) {
    for (const auto& [name, value] : choices) {
      if (name == word) into = value;
    }
  };
  return app.add_option_function<std::string>(names, set, description)
      ->check(CLI::Validator([words](std::string& word) { return check_word(word, words); }, "", "word"));
}

}  // namespace paceline::cli
