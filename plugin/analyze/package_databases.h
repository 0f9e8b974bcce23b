// The databases of installed packages, parsed from their text. What is malformed is passed over: a database is
// evidence, and a package that cannot be read is one that nothing is claimed of. Pure functions, any thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/analyze/package.h"

namespace paceline::analyze {

/// Whether a file of that path belongs to one of the databases.
[[nodiscard]] bool is_package_database(std::string_view path);

/// Path → content of the databases' files; all packages, each once.
[[nodiscard]] std::vector<Package> read_packages(const std::map<std::string, std::string_view>& files);

/// dpkg's status, or one of status.d: installed packages, without paths.
[[nodiscard]] std::vector<Package> parse_dpkg_status(std::string_view text);
/// apk's lib/apk/db/installed, paths included.
[[nodiscard]] std::vector<Package> parse_apk_installed(std::string_view text);
/// A dist-info folder's METADATA and RECORD; `folder`: that the folder lies in.
[[nodiscard]] std::optional<Package> parse_dist_info(std::string_view metadata, std::string_view record,
                                                     std::string_view folder);

}  // namespace paceline::analyze
