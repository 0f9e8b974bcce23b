#include "plugin/cli/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "plugin/base/fd.h"
#include "plugin/base/text.h"

namespace paceline::cli {
namespace {

// A pull with very many layers, or very many pulls.
constexpr int kMaxMessageBytes = 64 << 20;

// 0, or the errno of connect(2).
int try_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(fd.get(), generic, sizeof(address)) == 0 ? 0 : errno;
}

}  // namespace

Outcome<std::string> socket_path(const std::string& address) {
  std::string path = address;
  if (path.starts_with("unix:")) path = path.substr(5);
  if (path.starts_with("//")) path = path.substr(2);
  if (!path.starts_with("/")) {
    return tl::unexpected(
        Failure{Exit::kUsage, "--address '" + address + "' is not the absolute path of a unix socket"});
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return tl::unexpected(Failure{Exit::kUsage, "--address '" + address + "' is too long for a unix socket: at most " +
                                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes"});
  }
  return path;
}

Failure explain_unreachable(int errno_value, const std::string& path) {
  std::string message = "cannot reach pacelined at " + path + ": ";
  switch (errno_value) {
    case ENOENT:
      message += "there is no such socket; is it running? See: systemctl status pacelined";
      break;
    case ECONNREFUSED:
      message += "nobody listens there; is it running? See: systemctl status pacelined";
      break;
    case EACCES:
    case EPERM:
      message += "permission denied; only root may ask it: use sudo";
      break;
    default:
      message += std::generic_category().message(errno_value);
      break;
  }
  return {Exit::kUnreachable, message};
}

Outcome<std::unique_ptr<Client>> Client::connect(const Options& options, Interrupts& interrupts) {
  const auto path = socket_path(options.address);
  if (!path) return tl::unexpected(path.error());
  if (const int error = try_socket(*path); error != 0) return tl::unexpected(explain_unreachable(error, *path));
  std::unique_ptr<Client> client(new Client(options, interrupts));
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  client->stub_ =
      v1::Paceline::NewStub(grpc::CreateCustomChannel("unix:" + *path, grpc::InsecureChannelCredentials(), arguments));
  return client;
}

Client::Client(const Options& options, Interrupts& interrupts) : options_(options), interrupts_(interrupts) {}

void Client::set_deadline(grpc::ClientContext& context, std::optional<std::chrono::nanoseconds> otherwise) const {
  const auto limit = options_.timeout ? options_.timeout : otherwise;
  if (!limit) return;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(*limit));
}

Failure Client::explain(const grpc::Status& status) const {
  if (interrupts_.interrupted()) return {Exit::kInterrupted, "interrupted"};
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {Exit::kUnreachable, "lost pacelined at " + options_.address + ": " + status.error_message()};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Exit::kFailed, "the daemon at " + options_.address +
                                 " does not know this command; is it older than this client? See: paceline version"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Exit::kTimeout,
              "no end within " + format_duration(options_.timeout.value_or(kShortCall)) + "; --timeout sets the limit"};
    default:
      return {exit_for(status.error_code()), status.error_message()};
  }
}

}  // namespace paceline::cli
