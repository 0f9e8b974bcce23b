#include "plugin/base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "plugin/base/fd.h"
#include "plugin/base/files.h"
#include "plugin/base/text.h"

namespace paceline {
namespace {

constexpr int kPollMilliseconds = 20;

// A file in memory has no reader that could go away and no size a write could wait for.
Result<UniqueFd> input_file(const std::string& text) {
  UniqueFd fd(::memfd_create("program-input", MFD_CLOEXEC));
  if (!fd) return fail(errno_error(errno, "memfd_create"));
  if (auto status = write_at(fd.get(), std::as_bytes(std::span(text)), 0); !status) return fail(status.error());
  return fd;
}

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

Result<pid_t> spawn(const Program& program, int input, int output) {
  SpawnSettings settings;
  ::posix_spawn_file_actions_adddup2(&settings.actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&settings.actions, output, STDOUT_FILENO);
  if (program.with_errors) {
    ::posix_spawn_file_actions_adddup2(&settings.actions, output, STDERR_FILENO);
  } else {
    ::posix_spawn_file_actions_addopen(&settings.actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  // Its own process group, so that what it starts can be killed with it; signals as a program expects them.
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setpgroup(&settings.attributes, 0);
  ::posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = {program.path};
  words.insert(words.end(), program.arguments.begin(), program.arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, program.path.c_str(), &settings.actions, &settings.attributes, argv.data(), environ);
  if (error != 0) return fail(errno_error(error, "start " + program.path));
  return pid;
}

// A started program; never left behind.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    kill_group();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Its wait status once it has ended.
  std::optional<int> ended() {
    int status = 0;
    if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    kill_group();  // What it may have left running.
    pid_ = 0;
    return status;
  }

 private:
  void kill_group() const { ::kill(-pid_, SIGKILL); }
  pid_t pid_;
};

// Everything readable now; false at the end of the output.
Result<bool> drain(int fd, std::string& output, std::size_t most) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    output.append(buffer.data(), static_cast<std::size_t>(count));
    if (output.size() > most) {
      return fail(Code::kResourceExhausted, "printed more than " + std::to_string(most >> 10U) + " KiB");
    }
  }
}

}  // namespace

std::string Ended::how() const {
  return WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                           : "killed by signal " + std::to_string(WTERMSIG(status));
}

Result<Ended> run_program(const Program& program, Duration timeout, std::size_t most_output) {
  auto input = input_file(program.input);
  if (!input) return fail(input.error());
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(errno_error(errno, "pipe"));
  const UniqueFd reader(pipe[0]);
  UniqueFd writer(pipe[1]);
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  auto pid = spawn(program, input->get(), writer.get());
  if (!pid) return fail(pid.error());
  Child child(*pid);
  writer.reset();

  // The program may close its output and stay, or leave behind a child that keeps it open: neither decides alone.
  Ended out;
  bool open = true;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    pollfd wait{reader.get(), POLLIN, 0};
    ::poll(&wait, open ? 1 : 0, kPollMilliseconds);
    const auto status = child.ended();
    if (open) {
      auto more = drain(reader.get(), out.output, most_output);
      if (!more) return fail(more.error());
      open = *more;
    }
    if (status) {
      out.status = *status;
      return out;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Code::kDeadlineExceeded, "did not answer within " + format_duration(timeout) + " and was killed");
    }
  }
}

std::string find_program(const std::string& name, std::string_view search_path) {
  for (const auto folder : split(search_path, ':')) {
    if (folder.empty() || folder.front() != '/') continue;
    std::string path = std::string(folder) + "/" + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

}  // namespace paceline
