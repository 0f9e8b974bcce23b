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
#include "plugin/base/result.h"

namespace paceline::analyze {

/// Whether a file of that path belongs to one of the databases.
[[nodiscard]] bool is_package_database(std::string_view path);

/// How many paths all packages of an image may have together. A few bytes of a database can stand for a long path (a
/// folder is said once for all of its files), so that the databases' size bounds nothing.
class PathBudget {
 public:
  /// The largest images have half a million.
  static constexpr std::size_t kMostPaths = 2'000'000;
  static constexpr std::size_t kMostBytes = 256U << 20U;

  explicit PathBudget(std::size_t paths = kMostPaths, std::size_t bytes = kMostBytes) : paths_(paths), bytes_(bytes) {}
  /// Appends it, or does not: then the budget is exhausted for good.
  void add(std::string path, std::vector<std::string>& paths);
  [[nodiscard]] bool exhausted() const { return exhausted_; }

 private:
  std::size_t paths_, bytes_;
  bool exhausted_ = false;
};

/// Path → content of the databases' files; all packages, each once. kResourceExhausted: see PathBudget.
[[nodiscard]] Result<std::vector<Package>> read_packages(const std::map<std::string, std::string_view>& files,
                                                         PathBudget budget = PathBudget());

/// dpkg's status, or one of status.d: installed packages, without paths.
[[nodiscard]] std::vector<Package> parse_dpkg_status(std::string_view text);
/// apk's lib/apk/db/installed, paths included as far as the budget goes.
[[nodiscard]] std::vector<Package> parse_apk_installed(std::string_view text, PathBudget& budget);
/// A dist-info folder's METADATA and RECORD; `folder`: that the folder lies in. Paths as far as the budget goes.
[[nodiscard]] std::optional<Package> parse_dist_info(std::string_view metadata, std::string_view record,
                                                     std::string_view folder, PathBudget& budget);

}  // namespace paceline::analyze
