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

/// What all packages of an image may have together. A few bytes of a database can stand for a long path (a folder is
/// said once for all of its files) or for a name of its own, so that the databases' size bounds nothing.
class PackageBudget {
 public:
  /// The largest images have half a million paths.
  static constexpr std::size_t kMostPaths = 2'000'000;
  static constexpr std::size_t kMostBytes = 256U << 20U;
  /// Of what packages depend on and provide: 1200 packages of Debian have 4300, and each takes some 80 bytes.
  static constexpr std::size_t kMostNames = 500'000;
  static constexpr std::size_t kMostPackages = 100'000;

  explicit PackageBudget(std::size_t paths = kMostPaths, std::size_t bytes = kMostBytes, std::size_t names = kMostNames,
                         std::size_t packages = kMostPackages)
      : paths_(paths), bytes_(bytes), names_(names), packages_(packages) {}
  // Each appends it, or does not: then the budget is exhausted for good.
  void add_path(std::string path, std::vector<std::string>& paths);
  /// An empty name is none.
  void add_name(std::string_view name, std::vector<std::string>& names);
  void add_package(Package package, std::vector<Package>& packages);
  [[nodiscard]] bool exhausted() const { return exhausted_by_ != nullptr; }
  /// kResourceExhausted: says by what.
  [[nodiscard]] Status status() const;

 private:
  bool take(std::size_t& left, std::size_t bytes, const char* what);

  std::size_t paths_, bytes_, names_, packages_;
  const char* exhausted_by_ = nullptr;
};

/// Path → content of the databases' files; all packages, each once. kResourceExhausted: see PackageBudget.
[[nodiscard]] Result<std::vector<Package>> read_packages(const std::map<std::string, std::string_view>& files,
                                                         PackageBudget budget = PackageBudget());

/// dpkg's status, or one of status.d: installed packages, without paths.
[[nodiscard]] std::vector<Package> parse_dpkg_status(std::string_view text, PackageBudget& budget);
/// apk's lib/apk/db/installed, paths included as far as the budget goes.
[[nodiscard]] std::vector<Package> parse_apk_installed(std::string_view text, PackageBudget& budget);
/// A dist-info folder's METADATA and RECORD; `folder`: that the folder lies in. Paths as far as the budget goes.
[[nodiscard]] std::optional<Package> parse_dist_info(std::string_view metadata, std::string_view record,
                                                     std::string_view folder, PackageBudget& budget);

}  // namespace paceline::analyze
