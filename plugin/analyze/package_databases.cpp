#include "plugin/analyze/package_databases.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "plugin/base/text.h"
#include "plugin/unpack/entry_path.h"

namespace paceline::analyze {
namespace {

constexpr std::string_view kStatus = "var/lib/dpkg/status";
constexpr std::string_view kStatusFolder = "var/lib/dpkg/status.d/";  // Of distroless images.
constexpr std::string_view kInfoFolder = "var/lib/dpkg/info/";
constexpr std::string_view kList = ".list";
constexpr std::string_view kSums = ".md5sums";
constexpr std::string_view kApk[] = {"lib/apk/db/installed", "usr/lib/apk/db/installed"};
constexpr std::string_view kDistInfo = ".dist-info/";

/// One after another, so that a text of nothing but separators makes no list of as many parts.
std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

std::string_view next_line(std::string_view& text) { return next_part(text, '\n'); }

/// The next paragraph's fields that are of use, as they are written: continuation lines are part of them.
class Paragraph {
 public:
  /// False at the end.
  bool read(std::string_view& text) {
    fields_.clear();
    bool any = false;
    std::string_view* open = nullptr;  // What a continuation line goes on with.
    while (!text.empty()) {
      const std::string_view line = next_line(text);
      if (trim(line).empty()) {
        if (any) return true;
      } else if (line.front() == ' ' || line.front() == '\t') {
        if (open != nullptr) *open = {open->data(), static_cast<std::size_t>(line.data() + line.size() - open->data())};
      } else {
        open = add(line);
        any = true;
      }
    }
    return any;
  }
  /// A field that may be folded; empty: there is none.
  [[nodiscard]] std::string_view folded(std::string_view name) const {
    const auto field = fields_.find(name);
    return field == fields_.end() ? std::string_view() : field->second;
  }
  [[nodiscard]] std::string_view simple(std::string_view name) const {
    std::string_view text = folded(name);
    return trim(next_line(text));
  }

 private:
  /// What it has added; null: nothing.
  std::string_view* add(std::string_view line) {
    constexpr std::array<std::string_view, 10> kOfUse = {"Package",  "Version",      "Status",    "Section",
                                                         "Depends",  "Architecture", "Essential", "Priority",
                                                         "Provides", "Pre-Depends"};
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return nullptr;
    const std::string_view name = line.substr(0, colon);
    if (std::find(kOfUse.begin(), kOfUse.end(), name) == kOfUse.end()) return nullptr;
    const auto [field, added] = fields_.emplace(name, line.substr(colon + 1));
    return added ? &field->second : nullptr;
  }

  std::map<std::string_view, std::string_view> fields_;
};

/// "libc6 (>= 2.36)" → "libc6"; "gcc:any" → "gcc".
std::string_view dpkg_name(std::string_view text) {
  text = trim(text);
  return text.substr(0, text.find_first_of(" \t\n(:"));
}

/// "so:libc.musl.so.1=1.2" → "so:libc.musl.so.1".
std::string_view apk_name(std::string_view text) { return text.substr(0, text.find_first_of("<>=~")); }

void add_dpkg_depends(std::string_view text, PackageBudget& budget, std::vector<std::vector<std::string>>& out) {
  while (!text.empty() && !budget.exhausted()) {
    std::string_view clause = next_part(text, ',');
    std::vector<std::string> names;
    while (!clause.empty()) budget.add_name(dpkg_name(next_part(clause, '|')), names);
    if (!names.empty()) out.push_back(std::move(names));
  }
}

void add_list(std::string_view text, PackageBudget& budget, std::vector<std::string>& paths) {
  while (!text.empty() && !budget.exhausted()) {
    std::string path = unpack::clean_path(next_line(text));
    if (!path.empty()) budget.add_path(std::move(path), paths);
  }
}

/// "<md5>  path"
void add_sums(std::string_view text, PackageBudget& budget, std::vector<std::string>& paths) {
  while (!text.empty() && !budget.exhausted()) {
    const std::string_view line = next_line(text);
    const std::size_t gap = line.find("  ");
    if (gap != std::string_view::npos) budget.add_path(unpack::clean_path(line.substr(gap + 2)), paths);
  }
}

std::string_view find(const std::map<std::string, std::string_view>& files, const std::string& path) {
  const auto file = files.find(path);
  return file == files.end() ? std::string_view() : file->second;
}

/// Takes the list of that package, "name.list" or "name:arch.list" where it may be there for several architectures.
/// Each list is one package's: a status that names it again and again does not get it again.
std::string_view take_list(std::map<std::string, std::string_view>& lists, const Package& package) {
  for (const auto& key : {package.name + ":" + package.architecture, package.name}) {
    const auto list = lists.find(key);
    if (list == lists.end()) continue;
    return lists.extract(list).mapped();
  }
  return {};
}

void add_dpkg(const std::map<std::string, std::string_view>& files, PackageBudget& budget, std::vector<Package>& out) {
  std::map<std::string, std::string_view> lists;
  for (const auto& [path, text] : files) {
    if (!path.starts_with(kInfoFolder) || !path.ends_with(kList)) continue;
    lists.emplace(path.substr(kInfoFolder.size(), path.size() - kInfoFolder.size() - kList.size()), text);
  }
  for (Package& package : parse_dpkg_status(find(files, std::string(kStatus)), budget)) {
    add_list(take_list(lists, package), budget, package.paths);
    out.push_back(std::move(package));
  }
  for (const auto& [path, text] : files) {
    if (!path.starts_with(kStatusFolder) || path.ends_with(kSums)) continue;
    // A file is of one package; if it names more, the first has the sums beside it.
    std::string_view sums = find(files, path + std::string(kSums));
    for (Package& package : parse_dpkg_status(text, budget)) {
      add_sums(std::exchange(sums, {}), budget, package.paths);
      out.push_back(std::move(package));
    }
  }
}

void add_python(const std::map<std::string, std::string_view>& files, PackageBudget& budget,
                std::vector<Package>& out) {
  for (const auto& [path, text] : files) {
    constexpr std::string_view kMetadata = "METADATA";
    if (!path.ends_with(kMetadata)) continue;
    const std::string info = path.substr(0, path.size() - kMetadata.size());  // ".../name-1.0.dist-info/"
    if (!info.ends_with(kDistInfo)) continue;
    const std::size_t slash = info.rfind('/', info.size() - 2);
    const std::string folder = slash == std::string::npos ? std::string() : info.substr(0, slash);
    auto package = parse_dist_info(text, find(files, info + "RECORD"), folder, budget);
    if (package) budget.add_package(std::move(*package), out);
  }
}

}  // namespace

bool is_package_database(std::string_view path) {
  if (path == kStatus || path == kApk[0] || path == kApk[1]) return true;
  if (path.starts_with(kStatusFolder)) return true;
  if (path.starts_with(kInfoFolder)) return path.ends_with(kList);
  return path.ends_with(".dist-info/METADATA") || path.ends_with(".dist-info/RECORD");
}

bool PackageBudget::take(std::size_t& left, std::size_t bytes, const char* what) {
  if (exhausted()) return false;
  if (left == 0 || bytes > bytes_) {
    exhausted_by_ = what;
    return false;
  }
  --left;
  bytes_ -= bytes;
  return true;
}

void PackageBudget::add_path(std::string path, std::vector<std::string>& paths) {
  if (take(paths_, path.size(), "paths")) paths.push_back(std::move(path));
}

void PackageBudget::add_name(std::string_view name, std::vector<std::string>& names) {
  if (!name.empty() && take(names_, name.size(), "dependencies")) names.emplace_back(name);
}

void PackageBudget::add_package(Package package, std::vector<Package>& packages) {
  if (take(packages_, 0, "packages")) packages.push_back(std::move(package));
}

Status PackageBudget::status() const {
  if (!exhausted()) return {};
  return fail(Code::kResourceExhausted,
              "the image's package databases list more " + std::string(exhausted_by_) + " than any image has");
}

Result<std::vector<Package>> read_packages(const std::map<std::string, std::string_view>& files, PackageBudget budget) {
  std::vector<Package> out;
  add_dpkg(files, budget, out);
  for (const auto path : kApk) {
    for (auto& package : parse_apk_installed(find(files, std::string(path)), budget)) {
      out.push_back(std::move(package));
    }
  }
  add_python(files, budget, out);
  if (auto status = budget.status(); !status) return fail(status.error());
  std::set<std::tuple<PackageKind, std::string, std::string>> seen;
  std::erase_if(out, [&](const Package& package) {
    const std::string place = package.paths.empty() ? std::string() : package.paths.front();
    return !seen.emplace(package.kind, package.name, package.version + "\n" + package.architecture + "\n" + place)
                .second;
  });
  return out;
}

std::vector<Package> parse_dpkg_status(std::string_view text, PackageBudget& budget) {
  std::vector<Package> out;
  Paragraph paragraph;
  while (!budget.exhausted() && paragraph.read(text)) {
    Package package;
    package.name = std::string(paragraph.simple("Package"));
    package.version = std::string(paragraph.simple("Version"));
    // "install ok installed"; status.d of distroless images has no such field.
    const std::string_view status = paragraph.simple("Status");
    if (package.name.empty() || (!status.empty() && !status.ends_with(" installed"))) continue;
    package.section = std::string(paragraph.simple("Section"));
    package.architecture = std::string(paragraph.simple("Architecture"));
    package.required = paragraph.simple("Essential") == "yes" || paragraph.simple("Priority") == "required";
    add_dpkg_depends(paragraph.folded("Depends"), budget, package.depends);
    add_dpkg_depends(paragraph.folded("Pre-Depends"), budget, package.depends);
    std::string_view provides = paragraph.folded("Provides");
    while (!provides.empty()) budget.add_name(dpkg_name(next_part(provides, ',')), package.provides);
    budget.add_package(std::move(package), out);
  }
  return out;
}

std::vector<Package> parse_apk_installed(std::string_view text, PackageBudget& budget) {
  std::vector<Package> out;
  Package package;
  std::string folder;
  const auto end = [&] {
    if (!package.name.empty()) budget.add_package(std::move(package), out);
    package = {};
    folder.clear();
  };
  while (!text.empty() && !budget.exhausted()) {
    const std::string_view line = next_line(text);
    if (line.empty()) {
      end();
      continue;
    }
    if (line.size() < 2 || line[1] != ':') continue;
    std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'P':
        package.kind = PackageKind::kApk;
        package.name = std::string(value);
        break;
      case 'V':
        package.version = std::string(value);
        break;
      case 'D':
        while (!value.empty()) {
          const std::string_view name = next_part(value, ' ');
          std::vector<std::string> clause;
          if (!name.starts_with('!')) budget.add_name(apk_name(name), clause);  // "!name" is a conflict.
          if (!clause.empty()) package.depends.push_back(std::move(clause));
        }
        break;
      case 'p':
        while (!value.empty()) budget.add_name(apk_name(next_part(value, ' ')), package.provides);
        break;
      case 'F':
        folder = unpack::clean_path(value);
        break;
      case 'R':
        budget.add_path(unpack::clean_path(folder + "/" + std::string(value)), package.paths);
        break;
      default:
        break;
    }
  }
  end();
  return out;
}

std::optional<Package> parse_dist_info(std::string_view metadata, std::string_view record, std::string_view folder,
                                       PackageBudget& budget) {
  Package package;
  package.kind = PackageKind::kPython;
  while (!metadata.empty()) {
    const std::string_view line = next_line(metadata);
    if (trim(line).empty()) break;  // The description follows.
    if (line.starts_with("Name:")) package.name = std::string(trim(line.substr(5)));
    if (line.starts_with("Version:")) package.version = std::string(trim(line.substr(8)));
  }
  if (package.name.empty()) return std::nullopt;
  while (!record.empty() && !budget.exhausted()) {
    std::string_view line = next_line(record);
    if (line.starts_with('"')) {  // A path with a comma in it.
      line.remove_prefix(1);
      line = line.substr(0, line.find('"'));
    } else {
      line = line.substr(0, line.find(','));
    }
    if (line.empty()) continue;
    const bool absolute = line.starts_with('/');
    budget.add_path(unpack::clean_path(absolute ? std::string(line) : std::string(folder) + "/" + std::string(line)),
                    package.paths);
  }
  return package;
}

}  // namespace paceline::analyze
