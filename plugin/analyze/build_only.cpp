#include "plugin/analyze/build_only.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace paceline::analyze {
namespace {

bool is_one_of(std::string_view name, const auto& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// "gcc", "gcc-12", "gcc-12-x86-64-linux-gnu"; not "gcc-12-base", which libgcc needs.
bool is_compiler(std::string_view name) {
  constexpr std::array kCompilers = {"gcc",   "g++",     "cpp", "clang", "gfortran",
                                     "gobjc", "gobjc++", "gdc", "rustc", "llvm"};
  if (name.ends_with("-base") || name.ends_with("-runtime")) return false;
  for (const std::string_view compiler : kCompilers) {
    if (name == compiler) return true;
    if (name.starts_with(compiler) && name.size() > compiler.size() + 1 && name[compiler.size()] == '-' &&
        name[compiler.size() + 1] >= '0' && name[compiler.size() + 1] <= '9') {
      return true;
    }
  }
  // "golang-1.19-go", "golang-1.19-src"
  return name.starts_with("golang-") && (name.ends_with("-go") || name.ends_with("-src"));
}

/// Packages that call a compiler while the application runs: then it is no tool of the build.
bool compiles_at_run_time(const Package& package) {
  constexpr std::array kPython = {"triton", "theano", "aesara", "pytensor", "pythran", "pyopencl", "pycuda", "cppyy"};
  constexpr std::array kDpkg = {"dkms", "ccache", "distcc", "r-base-dev"};
  if (package.kind == PackageKind::kPython) {
    std::string name = package.name;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return is_one_of(name, kPython);
  }
  return is_one_of(std::string_view(package.name), kDpkg);
}

}  // namespace

bool is_for_building(const Package& package) {
  const std::string_view name = package.name;
  if (package.kind == PackageKind::kPython) return false;  // setuptools and pip are imported by applications, too.
  if (package.kind == PackageKind::kApk) {
    constexpr std::array kApk = {"build-base",      "gcc",      "g++",      "make",    "cmake",   "binutils",
                                 "musl-dev",        "autoconf", "automake", "libtool", "pkgconf", "patch",
                                 "fortify-headers", "rust",     "cargo"};
    return name.ends_with("-dev") || name.ends_with("-static") || name.starts_with(".build") || is_one_of(name, kApk);
  }
  std::string_view section = package.section;
  if (const auto slash = section.rfind('/'); slash != std::string_view::npos) section.remove_prefix(slash + 1);
  if (section == "libdevel" || name.ends_with("-dev") || name.ends_with("-headers") || is_compiler(name)) return true;
  // The section also has what runs programs for others.
  constexpr std::array kRuns = {"gdb", "gdbserver", "strace", "ltrace", "valgrind", "binfmt-support"};
  if (section == "devel") return !is_one_of(name, kRuns) && !name.starts_with("lib");
  constexpr std::array kTools = {"build-essential", "m4",      "dpkg-dev",   "make",    "cmake", "autoconf",
                                 "automake",        "libtool", "pkg-config", "pkgconf", "bison", "flex",
                                 "ninja-build",     "meson",   "patch",      "cargo"};
  return is_one_of(name, kTools);
}

void find_build_only(std::vector<Package>& packages) {
  std::multimap<std::string_view, Package*> by_name;
  bool compiling = false;
  for (Package& package : packages) {
    if (package.kind != PackageKind::kPython) {
      by_name.emplace(package.name, &package);
      for (const auto& name : package.provides) by_name.emplace(name, &package);
    }
    compiling = compiling || compiles_at_run_time(package);
  }
  std::vector<Package*> staying;
  for (Package& package : packages) {
    package.build_only = is_for_building(package) && !package.required && !(compiling && is_compiler(package.name));
    if (!package.build_only) staying.push_back(&package);
  }
  // What stays takes along what it depends on, unless another alternative stays anyway.
  while (!staying.empty()) {
    std::vector<Package*> next;
    for (const Package* package : staying) {
      for (const auto& clause : package->depends) {
        std::vector<Package*> ways;
        bool met = false;
        for (const auto& name : clause) {
          const auto [first, last] = by_name.equal_range(name);
          for (auto it = first; it != last; ++it) {
            if (it->second->kind != package->kind) continue;
            met = met || !it->second->build_only;
            ways.push_back(it->second);
          }
        }
        if (met) continue;
        for (Package* way : ways) {
          way->build_only = false;
          next.push_back(way);
        }
      }
    }
    staying = std::move(next);
  }
}

}  // namespace paceline::analyze
