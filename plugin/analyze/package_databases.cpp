#include "plugin/analyze/package_databases.h"

#include <algorithm>
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

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

/// The fields of the next paragraph, continuation lines left out; false at the end.
bool next_paragraph(std::string_view& text, std::map<std::string_view, std::string_view>& fields) {
  fields.clear();
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (trim(line).empty()) {
      if (!fields.empty()) return true;
      continue;
    }
    const std::size_t colon = line.find(':');
    if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos) continue;
    fields.emplace(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
  return !fields.empty();
}

/// "libc6 (>= 2.36)" → "libc6"; "gcc:any" → "gcc"; apk's "so:libc.musl.so.1=1.2" → "so:libc.musl.so.1".
std::string dpkg_name(std::string_view text) {
  text = trim(text);
  const std::size_t end = std::min({text.find(' '), text.find('('), text.find(':'), text.size()});
  return std::string(text.substr(0, end));
}

std::string apk_name(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find_first_of("<>=~"), text.size())));
}

void add_dpkg_depends(std::string_view text, std::vector<std::vector<std::string>>& out) {
  for (const auto clause : split(text, ',')) {
    std::vector<std::string> names;
    for (const auto alternative : split(clause, '|')) {
      if (auto name = dpkg_name(alternative); !name.empty()) names.push_back(std::move(name));
    }
    if (!names.empty()) out.push_back(std::move(names));
  }
}

void add_list(std::string_view text, PathBudget& budget, std::vector<std::string>& paths) {
  while (!text.empty() && !budget.exhausted()) {
    std::string path = unpack::clean_path(next_line(text));
    if (!path.empty()) budget.add(std::move(path), paths);
  }
}

/// "<md5>  path"
void add_sums(std::string_view text, PathBudget& budget, std::vector<std::string>& paths) {
  while (!text.empty() && !budget.exhausted()) {
    const std::string_view line = next_line(text);
    const std::size_t gap = line.find("  ");
    if (gap != std::string_view::npos) budget.add(unpack::clean_path(line.substr(gap + 2)), paths);
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

void add_dpkg(const std::map<std::string, std::string_view>& files, PathBudget& budget, std::vector<Package>& out) {
  std::map<std::string, std::string_view> lists;
  for (const auto& [path, text] : files) {
    if (!path.starts_with(kInfoFolder) || !path.ends_with(kList)) continue;
    lists.emplace(path.substr(kInfoFolder.size(), path.size() - kInfoFolder.size() - kList.size()), text);
  }
  for (Package& package : parse_dpkg_status(find(files, std::string(kStatus)))) {
    add_list(take_list(lists, package), budget, package.paths);
    out.push_back(std::move(package));
  }
  for (const auto& [path, text] : files) {
    if (!path.starts_with(kStatusFolder) || path.ends_with(kSums)) continue;
    // A file is of one package; if it names more, the first has the sums beside it.
    std::string_view sums = find(files, path + std::string(kSums));
    for (Package& package : parse_dpkg_status(text)) {
      add_sums(std::exchange(sums, {}), budget, package.paths);
      out.push_back(std::move(package));
    }
  }
}

void add_python(const std::map<std::string, std::string_view>& files, PathBudget& budget, std::vector<Package>& out) {
  for (const auto& [path, text] : files) {
    constexpr std::string_view kMetadata = "METADATA";
    if (!path.ends_with(kMetadata)) continue;
    const std::string info = path.substr(0, path.size() - kMetadata.size());  // ".../name-1.0.dist-info/"
    if (!info.ends_with(kDistInfo)) continue;
    const std::size_t slash = info.rfind('/', info.size() - 2);
    const std::string folder = slash == std::string::npos ? std::string() : info.substr(0, slash);
    auto package = parse_dist_info(text, find(files, info + "RECORD"), folder, budget);
    if (package) out.push_back(std::move(*package));
  }
}

}  // namespace

bool is_package_database(std::string_view path) {
  if (path == kStatus || path == kApk[0] || path == kApk[1]) return true;
  if (path.starts_with(kStatusFolder)) return true;
  if (path.starts_with(kInfoFolder)) return path.ends_with(kList);
  return path.ends_with(".dist-info/METADATA") || path.ends_with(".dist-info/RECORD");
}

void PathBudget::add(std::string path, std::vector<std::string>& paths) {
  exhausted_ = exhausted_ || paths_ == 0 || path.size() > bytes_;
  if (exhausted_) return;
  --paths_;
  bytes_ -= path.size();
  paths.push_back(std::move(path));
}

Result<std::vector<Package>> read_packages(const std::map<std::string, std::string_view>& files, PathBudget budget) {
  std::vector<Package> out;
  add_dpkg(files, budget, out);
  for (const auto path : kApk) {
    for (auto& package : parse_apk_installed(find(files, std::string(path)), budget)) {
      out.push_back(std::move(package));
    }
  }
  add_python(files, budget, out);
  if (budget.exhausted()) {
    return fail(Code::kResourceExhausted, "the image's package databases list more paths than any image has");
  }
  std::set<std::tuple<PackageKind, std::string, std::string>> seen;
  std::erase_if(out, [&](const Package& package) {
    const std::string place = package.paths.empty() ? std::string() : package.paths.front();
    return !seen.emplace(package.kind, package.name, package.version + "\n" + package.architecture + "\n" + place)
                .second;
  });
  return out;
}

std::vector<Package> parse_dpkg_status(std::string_view text) {
  std::vector<Package> out;
  std::map<std::string_view, std::string_view> fields;
  while (next_paragraph(text, fields)) {
    Package package;
    package.name = std::string(fields["Package"]);
    package.version = std::string(fields["Version"]);
    // "install ok installed"; status.d of distroless images has no such field.
    const std::string_view status = fields["Status"];
    if (package.name.empty() || (!status.empty() && !status.ends_with(" installed"))) continue;
    package.section = std::string(fields["Section"]);
    package.architecture = std::string(fields["Architecture"]);
    package.required = fields["Essential"] == "yes" || fields["Priority"] == "required";
    add_dpkg_depends(fields["Depends"], package.depends);
    add_dpkg_depends(fields["Pre-Depends"], package.depends);
    for (const auto name : split(fields["Provides"], ',')) {
      if (auto provided = dpkg_name(name); !provided.empty()) package.provides.push_back(std::move(provided));
    }
    out.push_back(std::move(package));
  }
  return out;
}

std::vector<Package> parse_apk_installed(std::string_view text, PathBudget& budget) {
  std::vector<Package> out;
  Package package;
  std::string folder;
  const auto end = [&] {
    if (!package.name.empty()) out.push_back(std::move(package));
    package = {};
    folder.clear();
  };
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (line.empty()) {
      end();
      continue;
    }
    if (line.size() < 2 || line[1] != ':') continue;
    const std::string_view value = line.substr(2);
    switch (line[0]) {
      case 'P':
        package.kind = PackageKind::kApk;
        package.name = std::string(value);
        break;
      case 'V':
        package.version = std::string(value);
        break;
      case 'D':
        for (const auto name : split(value, ' ')) {
          // "!name" is a conflict.
          if (!name.empty() && name.front() != '!') package.depends.push_back({apk_name(name)});
        }
        break;
      case 'p':
        for (const auto name : split(value, ' ')) {
          if (!name.empty()) package.provides.push_back(apk_name(name));
        }
        break;
      case 'F':
        folder = unpack::clean_path(value);
        break;
      case 'R':
        budget.add(unpack::clean_path(folder + "/" + std::string(value)), package.paths);
        break;
      default:
        break;
    }
  }
  end();
  return out;
}

std::optional<Package> parse_dist_info(std::string_view metadata, std::string_view record, std::string_view folder,
                                       PathBudget& budget) {
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
    budget.add(unpack::clean_path(absolute ? std::string(line) : std::string(folder) + "/" + std::string(line)),
               package.paths);
  }
  return package;
}

}  // namespace paceline::analyze
