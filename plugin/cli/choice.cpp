#include "plugin/cli/choice.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace paceline::cli {

std::string check_word(const std::string& word, const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), word) != words.end()) return {};
  std::string offered;
  for (const auto& each : words) offered += (offered.empty() ? "" : ", ") + each;
  const std::string near = nearest_word(word, words);
  return "'" + word + "' must be " + (words.size() > 1 ? "one of " : "") + offered +
         (near.empty() || words.size() == 1 ? "" : "; did you mean '" + near + "'?");
}

}  // namespace paceline::cli
