#include "tests/wan/link/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace paceline::wan {

Control::Control(const std::string& path, Link& link) : path_(path), link_(link) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), "control socket " + path + " (107 bytes at most)");
  }
  path.copy(address.sun_path, path.size());
  ::unlink(path.c_str());
  listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 16) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen on the control socket " + path);
  }
}

Control::~Control() { ::unlink(path_.c_str()); }

std::vector<int> Control::clients() const {
  std::vector<int> all;
  for (const Client& client : clients_) all.push_back(client.fd.get());
  return all;
}

void Control::accept() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (client) clients_.push_back({std::move(client), {}});
}

void Control::serve(int fd) {
  const auto client = std::find_if(clients_.begin(), clients_.end(), [&](const Client& c) { return c.fd.get() == fd; });
  char text[1024];
  const ssize_t got = ::recv(fd, text, sizeof text, 0);
  if (got < 0 && errno == EAGAIN) return;
  bool alive = got > 0 && client->line.size() < 4096;
  if (alive) client->line.append(text, static_cast<size_t>(got));
  for (size_t end; alive && (end = client->line.find('\n')) != std::string::npos; client->line.erase(0, end + 1)) {
    const std::string reply = answer(std::string_view(client->line).substr(0, end)) + "\n";
    alive = ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(reply.size());
  }
  if (!alive) clients_.erase(client);
}

std::string Control::answer(std::string_view line) {
  if (line == "stats") return link_.stats();
  if (line == "reset") {
    link_.reset_stats();
    return "ok";
  }
  if (line.starts_with("set ")) {
    Settings settings = link_.settings();
    if (auto wrong = update(line.substr(4), settings)) return "error: " + *wrong;
    link_.set(settings);
    return "ok";
  }
  return "error: unknown command '" + std::string(line) + "': stats, reset, or set KEY=VALUE...";
}

}  // namespace paceline::wan
