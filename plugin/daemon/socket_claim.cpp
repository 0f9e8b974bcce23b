#include "plugin/daemon/socket_claim.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "plugin/base/files.h"

namespace paceline::daemon {
namespace {

Status remove_stale_socket(const std::string& address) {
  struct stat info {};
  if (::lstat(address.c_str(), &info) != 0) {
    return errno == ENOENT ? Status() : Status(fail(errno_error(errno, address)));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(Code::kFailedPrecondition,
                address + " exists and is not a socket: choose another address, or remove it");
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.size() >= sizeof(name.sun_path))
    return fail(Code::kInvalidArgument, address + " is too long for a socket");
  std::memcpy(name.sun_path, address.c_str(), address.size() + 1);
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return fail(errno_error(errno, "socket"));
  // EAGAIN: somebody listens whose queue is full. Only a refusal says that nobody does.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 || errno != ECONNREFUSED) {
    return fail(Code::kFailedPrecondition, address + " is in use by another program");
  }
  if (::unlink(address.c_str()) != 0) return fail(errno_error(errno, "remove the stale socket " + address));
  return {};
}

}  // namespace

Result<UniqueFd> claim_socket(const std::string& address) {
  if (auto made = make_directories(std::filesystem::path(address).parent_path()); !made) return fail(made.error());
  const std::string lock_name = address + ".lock";
  auto lock = open_file(lock_name, O_RDWR | O_CREAT, 0600);
  if (!lock) return fail(lock.error());
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(errno_error(errno, "lock " + lock_name));
    return fail(Code::kFailedPrecondition, address + " is in use: another pacelined serves there");
  }
  if (auto removed = remove_stale_socket(address); !removed) return fail(removed.error());
  return lock;
}

}  // namespace paceline::daemon
