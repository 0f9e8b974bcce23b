#include "plugin/analyze/build_only.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "plugin/base/text.h"

namespace paceline::analyze {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_one_of(std::string_view name, const auto& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// "gcc", "gcc-12", "gcc-12-x86-64-linux-gnu", "gcc-mingw-w64", "gcc-multilib"; not "gcc-12-base", which libgcc needs.
bool is_toolchain(std::string_view name) {
  constexpr std::array kTools = {"gcc",     "g++",   "cpp",  "clang",        "gfortran",   "gobjc",
                                 "gobjc++", "gdc",   "gnat", "gccgo",        "rustc",      "llvm",
                                 "golang",  "flang", "lld",  "clang-format", "clang-tidy", "clang-tools",
                                 "clangd",  "mold",  "fpc",  "binutils",     "fp-compiler"};
  constexpr std::array kTargets = {"-linux-gnu", "-mingw-w64", "-none-eabi", "-multilib"};
  if (name.ends_with("-base") || name.ends_with("-runtime")) return false;
  for (const std::string_view tool : kTools) {
    if (!name.starts_with(tool)) continue;
    const std::string_view rest = name.substr(tool.size());
    if (rest.empty()) return true;
    if (rest.front() == '-' && rest.size() > 1 && is_digit(rest[1])) return true;
    if (std::any_of(kTargets.begin(), kTargets.end(),
                    [&](auto target) { return rest.starts_with('-') && rest.find(target) != rest.npos; })) {
      return true;
    }
  }
  return name.starts_with("golang-") && (name.ends_with("-go") || name.ends_with("-src"));
}

/// Whatever their section: devel also has tracers, debuggers and all of CUDA, which run with applications.
bool is_tool(std::string_view name) {
  constexpr std::array kMake = {"make",  "make-guile", "cmake",       "cmake-data",   "ninja-build", "meson",
                                "scons", "pkg-config", "pkgconf",     "libtool",      "autoconf",    "automake",
                                "m4",    "autopoint",  "pkgconf-bin", "autotools-dev"};
  constexpr std::array kTranslate = {
      "bison", "flex", "gperf", "nasm", "yasm", "swig", "valac", "cargo", "swig4.0", "rust-src", "protobuf-compiler"};
  constexpr std::array kPackage = {"build-essential",      "binutils-common", "dpkg-dev", "debhelper", "dh-autoreconf",
                                   "po-debconf",           "intltool-debian", "intltool", "dwz",       "patch",
                                   "gobject-introspection"};
  return is_one_of(name, kMake) || is_one_of(name, kTranslate) || is_one_of(name, kPackage);
}

/// A library that programs load has its version behind the ending: "libnvrtc.so.12". Without one it is for linkers.
bool brings_shared_library(const Package& package) {
  return std::any_of(package.paths.begin(), package.paths.end(), [](std::string_view path) {
    if (path.starts_with("usr/share/")) return false;  // "ld.so.8.gz" is a manual.
    const std::size_t at = path.rfind(".so.");
    return at != std::string_view::npos && at + 4 < path.size() && is_digit(path[at + 4]);
  });
}

/// NVIDIA has put all of CUDA into the section devel, what runs with applications too.
bool is_for_building_cuda(std::string_view name) {
  if (name.find("-dev-") != std::string_view::npos || name.ends_with("-dev")) return true;
  if (name.ends_with("-config-common")) return false;  // Says to the loader where the libraries are.
  return name.starts_with("cuda-nvcc") || name.starts_with("cuda-toolkit") || name == "nvidia-cuda-toolkit";
}

bool is_for_building_dpkg(const Package& package) {
  const std::string_view name = package.name;
  std::string_view section = package.section;
  if (const auto slash = section.rfind('/'); slash != std::string_view::npos) section.remove_prefix(slash + 1);
  const bool devel = section == "devel" || section == "libdevel";
  const bool cuda = name.starts_with("cuda-") || name.starts_with("nvidia-");
  if (cuda && !(devel && is_for_building_cuda(name))) return false;
  // "libssl-dev", "libcublas-dev-12-2"
  if (name.ends_with("-dev") || (devel && name.find("-dev-") != std::string_view::npos)) return true;
  if (is_toolchain(name)) return true;  // What it has of libraries it loads itself.
  return (cuda || section == "libdevel" || name.ends_with("-headers") || is_tool(name)) &&
         !brings_shared_library(package);
}

bool calls_a_compiler(const Package& package) {
  // Some by way of just-in-time compilers that need headers all the same (cupy, cppyy).
  constexpr std::array kPython = {
      "triton",    "pytorch-triton", "torch",       "deepspeed", "flashinfer", "flashinfer-python",
      "deep-gemm", "theano",         "theano-pymc", "aesara",    "pytensor",   "pythran",
      "pyopencl",  "pycuda",         "cupy",        "cppyy",     "cppimport",  "codepy",
      "pykeops",   "brian2",         "pystan",      "httpstan",  "cmdstanpy",  "devito",
      "dace",      "jittor",         "tinygrad"};
  constexpr std::array kDpkg = {"dkms",           "ccache",           "distcc",         "r-base-dev",   "python3-torch",
                                "python3-theano", "python3-pyopencl", "python3-pycuda", "python3-brian"};
  if (package.kind == PackageKind::kPython) {
    std::string name = to_lower(package.name);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '_' || c == '.'; }, '-');
    return is_one_of(std::string_view(name), kPython) || name.starts_with("cupy-");  // "cupy-cuda12x"
  }
  return is_one_of(std::string_view(package.name), kDpkg);
}

/// Finds what has to stay beside what does. Each package, and each name that something depends on, is kept once: the
/// work follows the sizes of the databases, whatever they say.
class Keeper {
 public:
  explicit Keeper(std::vector<Package>& packages) {
    for (Package& package : packages) {
      if (package.kind == PackageKind::kPython) continue;  // They name no packages of the system.
      for_each_name(package, [&](Providers& providers) { providers.packages.push_back(&package); });
    }
    for (Package& package : packages) {
      if (!package.build_only) keep(package);
    }
  }

  void run() {
    for (std::size_t i = 0; i < staying_.size(); ++i) {
      for (const auto& clause : staying_[i]->depends) meet(staying_[i]->kind, clause);
    }
  }

 private:
  struct Providers {
    std::vector<Package*> packages;
    bool stays = false;  // One of them.
  };

  void for_each_name(const Package& package, const auto& use) {
    use(by_name_[{package.kind, package.name}]);
    for (const auto& name : package.provides) use(by_name_[{package.kind, name}]);
  }

  void keep(Package& package) {
    package.build_only = false;
    staying_.push_back(&package);
    if (package.kind == PackageKind::kPython) return;
    for_each_name(package, [](Providers& providers) { providers.stays = true; });
  }

  /// Takes along all alternatives, unless one of them stays anyway.
  void meet(PackageKind kind, const std::vector<std::string>& clause) {
    std::vector<Providers*> ways;
    for (const auto& name : clause) {
      const auto found = by_name_.find({kind, name});
      if (found == by_name_.end()) continue;
      if (found->second.stays) return;
      ways.push_back(&found->second);
    }
    for (const Providers* way : ways) {
      for (Package* package : way->packages) {
        if (package->build_only) keep(*package);
      }
    }
  }

  std::map<std::pair<PackageKind, std::string_view>, Providers> by_name_;
  std::vector<const Package*> staying_;  // In the order in which that was found.
};

}  // namespace

bool is_for_building(const Package& package) {
  const std::string_view name = package.name;
  if (package.kind == PackageKind::kPython) return false;  // setuptools and pip are imported by applications, too.
  if (package.kind == PackageKind::kDpkg) return is_for_building_dpkg(package);
  constexpr std::array kApk = {"build-base",      "gcc",      "g++",      "make",    "cmake",   "binutils",
                               "musl-dev",        "autoconf", "automake", "libtool", "pkgconf", "patch",
                               "fortify-headers", "rust",     "cargo"};
  return name.ends_with("-dev") || name.ends_with("-static") || name.starts_with(".build") || is_one_of(name, kApk);
}

bool compiles_at_run_time(const std::vector<Package>& packages) {
  return std::any_of(packages.begin(), packages.end(), calls_a_compiler);
}

void find_build_only(std::vector<Package>& packages) {
  const bool compiling = compiles_at_run_time(packages);
  for (Package& package : packages) package.build_only = !compiling && !package.required && is_for_building(package);
  Keeper(packages).run();
}

}  // namespace paceline::analyze
