#include "plugin/analyze/file_class.h"

#include <algorithm>
#include <string>

namespace paceline::analyze {
namespace {

bool starts_with_any(std::string_view path, const auto& prefixes) {
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) { return path.starts_with(prefix); });
}

bool ends_with_any(std::string_view path, const auto& endings) {
  return std::any_of(std::begin(endings), std::end(endings),
                     [&](std::string_view ending) { return path.ends_with(ending); });
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Only what a package manager put there and fetches again by itself. Other things below ~/.cache (models, corpora) are
/// what the application has cached on purpose.
bool is_cache(std::string_view path) {
  constexpr std::array kFolders = {"var/cache/apt/", "var/cache/apk/", "var/cache/yum/", "var/cache/dnf/",
                                   "var/cache/debconf/templates.dat-old"};
  if (starts_with_any(path, kFolders)) return true;
  constexpr std::array kOld = {"var/lib/dpkg/status-old", "var/lib/dpkg/available-old",
                               "var/cache/debconf/config.dat-old"};
  if (std::find(kOld.begin(), kOld.end(), path) != kOld.end()) return true;
  constexpr std::array kLogs = {"var/log/apt/", "var/log/dpkg.log", "var/log/alternatives.log",
                                "var/log/bootstrap.log"};
  if (starts_with_any(path, kLogs)) return true;
  const bool home = path.starts_with("root/") || path.starts_with("home/");
  constexpr std::array kInHome = {"/.cache/pip/", "/.npm/_cacache/", "/.cache/yarn/", "/.cache/go-build/",
                                  "/.cache/uv/"};
  return home && std::any_of(kInHome.begin(), kInHome.end(),
                             [&](std::string_view folder) { return path.find(folder) != std::string_view::npos; });
}

bool is_docs(std::string_view path, bool symlink) {
  // Licences have to go along with what is passed on; a link in place of a package's folder leads to another's.
  constexpr std::string_view kDoc = "usr/share/doc/";
  if (path.starts_with(kDoc)) {
    const bool folder = symlink && path.find('/', kDoc.size()) == std::string_view::npos;
    return !folder && file_name(path) != "copyright";
  }
  constexpr std::array kFolders = {"usr/share/man/",       "usr/share/info/",     "usr/share/gtk-doc/",
                                   "usr/share/doc-base/",  "usr/share/lintian/",  "usr/share/linda/",
                                   "usr/local/share/man/", "usr/local/share/doc/"};
  return starts_with_any(path, kFolders);
}

bool is_foreign_locale(std::string_view path) {
  constexpr std::string_view kFolder = "usr/share/locale/";
  if (!path.starts_with(kFolder)) return false;
  const std::string_view rest = path.substr(kFolder.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return false;  // locale.alias
  const std::string_view language = rest.substr(0, slash);
  return language != "C" && language != "en" && !language.starts_with("en_") && !language.starts_with("en@") &&
         rest.find("/LC_MESSAGES/") != std::string_view::npos;
}

bool is_header(std::string_view path) {
  constexpr std::array kFolders = {"usr/include/", "usr/local/include/"};
  constexpr std::array kEndings = {".h", ".hh", ".hpp", ".hxx", ".H", ".h++", ".inl", ".ipp", ".tcc"};
  if (starts_with_any(path, kFolders)) return ends_with_any(path, kEndings);
  return false;
}

bool is_static_library(std::string_view path) {
  constexpr std::array kFolders = {"usr/lib/", "usr/local/lib/", "lib/", "usr/lib64/", "lib64/"};
  return path.ends_with(".a") && file_name(path).starts_with("lib") && starts_with_any(path, kFolders);
}

}  // namespace

std::string_view name_of(FileClass file_class) {
  switch (file_class) {
    case FileClass::kNeeded:
      break;
    case FileClass::kHidden:
      return "hidden";
    case FileClass::kBuildPackage:
      return "build-packages";
    case FileClass::kAptLists:
      return "apt-lists";
    case FileClass::kCache:
      return "caches";
    case FileClass::kHeader:
      return "headers";
    case FileClass::kStaticLibrary:
      return "static-libraries";
    case FileClass::kDocs:
      return "docs";
    case FileClass::kLocale:
      return "locales";
    case FileClass::kBytecode:
      return "bytecode";
    case FileClass::kDuplicate:
      return "duplicates";
  }
  return "needed";
}

FileClass classify(std::string_view path, const FileFacts& facts) {
  const bool build = facts.owner != nullptr && facts.owner->build_only;
  if (build) {
    // Its licence stays with nothing: it goes along with the package.
    return FileClass::kBuildPackage;
  }
  if (path.starts_with("var/lib/apt/lists/") && file_name(path) != "lock") return FileClass::kAptLists;
  if (is_cache(path)) return FileClass::kCache;
  if (is_docs(path, facts.symlink)) return FileClass::kDocs;
  if (is_foreign_locale(path)) return FileClass::kLocale;
  // What a package that stays has brought is its own business: it may read it. And what compiles reads all of them.
  if (facts.owner != nullptr || facts.compiling) return FileClass::kNeeded;
  if (is_header(path)) return FileClass::kHeader;
  if (is_static_library(path)) return FileClass::kStaticLibrary;
  return FileClass::kNeeded;
}

std::string bytecode_source(std::string_view path) {
  constexpr std::string_view kFolder = "__pycache__/";
  if (!path.ends_with(".pyc")) return {};
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view folder = path.substr(0, slash + 1);
  if (!folder.ends_with(kFolder) ||
      (folder.size() > kFolder.size() && folder[folder.size() - kFolder.size() - 1] != '/')) {
    return {};  // Beside its source, or without one, it is what Python runs.
  }
  const std::string_view name = path.substr(slash + 1);
  const std::size_t tag = name.find('.');  // "b" of "b.cpython-311.pyc"
  return std::string(folder.substr(0, folder.size() - kFolder.size())) + std::string(name.substr(0, tag)) + ".py";
}

}  // namespace paceline::analyze
