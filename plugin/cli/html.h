// What pages have in common: one file, without anything from elsewhere. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace paceline::cli {

[[nodiscard]] std::string html_text(std::string_view text);
[[nodiscard]] std::string html_page(const std::string& title, const std::string& body);
/// The first column stands left, the others right.
[[nodiscard]] std::string html_table(const std::vector<std::string>& heads,
                                     const std::vector<std::vector<std::string>>& rows);

}  // namespace paceline::cli
