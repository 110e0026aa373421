// A closed-loop load generator for unary gRPC calls: one request's bytes, sent again and again.
//
// As many calls as --concurrency says are kept in flight over one connection by one thread, so
// that the generator takes as little of the machine as it can. Nothing is serialised or parsed.
// What it prints is described in benchmarks/generators.py, which runs it.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCallTimeout{30};
constexpr std::size_t kSampleEvery = 16;
// A server that refuses at once would be asked hundreds of thousands of times.
constexpr std::size_t kMaxFailures = 100;

struct Options {
  std::string address;
  std::string method;
  std::string request;
  int concurrency = 1;
  double seconds = 5.0;
  double warmup = 1.0;
};

// One call in flight; its slot is used again for the next.
struct Call {
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer reply;
  grpc::Status status;
  Clock::time_point started;
};

struct Seen {
  std::vector<std::int64_t> latencies_us;
  std::map<int, std::size_t> statuses;
  std::map<std::string, std::size_t> failures;
  std::vector<std::string> samples;
};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return time.tv_sec + time.tv_usec / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double elapsed(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) throw std::runtime_error("a reply could not be read");
  std::string bytes;
  for (const auto& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), request_(whole_request(options.request)), calls_(options.concurrency) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
        options.address, grpc::InsecureChannelCredentials(), arguments));
  }

  // Warm up, measure, let what is in flight end, and print what was seen.
  void run() {
    for (auto& call : calls_) start(call);
    until(Clock::now() + duration(options_.warmup), false);
    std::cout << "counting" << std::endl;
    const auto from = Clock::now();
    const double cpu_before = cpu_seconds();
    until(from + duration(options_.seconds), true);
    const double cpu = cpu_seconds() - cpu_before;
    const double measured = elapsed(from, Clock::now());
    std::cout << "counted" << std::endl;
    drain();
    print(measured, cpu);
  }

 private:
  static grpc::ByteBuffer whole_request(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    return grpc::ByteBuffer(&slice, 1);
  }

  static Clock::duration duration(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  void start(Call& call) {
    call.context = std::make_unique<grpc::ClientContext>();
    call.context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    call.reply.Clear();
    call.started = Clock::now();
    call.reader =
        stub_->PrepareUnaryCall(call.context.get(), options_.method, request_, &queue_);
    call.reader->StartCall();
    call.reader->Finish(&call.reply, &call.status, &call);
    ++in_flight_;
  }

  void until(Clock::time_point end, bool counting) {
    while (true) {
      const auto left = end - Clock::now();
      if (left <= Clock::duration::zero() || failed_ > kMaxFailures) return;
      void* tag = nullptr;
      bool ok = false;
      const auto deadline = std::chrono::system_clock::now() +
                            std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
      if (queue_.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return;
      auto& call = *static_cast<Call*>(tag);
      --in_flight_;
      note(call, counting);
      start(call);
    }
  }

  // A failure counts whenever it happens; a reply only while counting.
  void note(const Call& call, bool counting) {
    if (!call.status.ok()) {
      ++failed_;
      ++seen_.statuses[call.status.error_code()];
      ++seen_.failures[call.status.error_message()];
      return;
    }
    if (!counting) return;
    ++seen_.statuses[grpc::StatusCode::OK];
    if (seen_.latencies_us.size() % kSampleEvery == 0) {
      seen_.samples.push_back(bytes_of(call.reply));
    }
    const auto took = Clock::now() - call.started;
    seen_.latencies_us.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  }

  void drain() {
    void* tag = nullptr;
    bool ok = false;
    while (in_flight_ > 0 && queue_.Next(&tag, &ok)) --in_flight_;
  }

  void print(double measured, double cpu) const {
    std::printf("{\"seconds\": %.6f, \"cpu_s\": %.6f, \"statuses\": {", measured, cpu);
    const char* comma = "";
    for (const auto& [code, count] : seen_.statuses) {
      std::printf("%s\"%d\": %zu", comma, code, count);
      comma = ", ";
    }
    std::printf("}, \"failure\": \"");
    if (!seen_.failures.empty()) print_text(seen_.failures.begin()->first);
    std::printf("\", \"latencies_us\": [");
    comma = "";
    for (const auto latency : seen_.latencies_us) {
      std::printf("%s%lld", comma, static_cast<long long>(latency));
      comma = ",";
    }
    std::printf("], \"samples\": [");
    comma = "";
    for (const auto& sample : seen_.samples) {
      std::printf("%s\"", comma);
      for (const unsigned char byte : sample) std::printf("%02x", byte);
      std::printf("\"");
      comma = ",";
    }
    std::printf("]}\n");
  }

  static void print_text(const std::string& text) {
    for (const char letter : text) {
      const bool plain = letter >= ' ' && letter <= '~' && letter != '"' && letter != '\\';
      std::putchar(plain ? letter : ' ');
    }
  }

  const Options& options_;
  const grpc::ByteBuffer request_;
  std::vector<Call> calls_;
  std::unique_ptr<grpc::GenericStub> stub_;
  grpc::CompletionQueue queue_;
  std::size_t in_flight_ = 0;
  std::size_t failed_ = 0;
  Seen seen_;
};

std::string file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::invalid_argument("cannot read the request '" + path + "'");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Options parsed(int count, char** words) {
  std::map<std::string, std::string> given;
  for (int at = 1; at + 1 < count; at += 2) given[words[at]] = words[at + 1];
  const auto value = [&given](const std::string& name) {
    const auto found = given.find(name);
    if (found == given.end()) throw std::invalid_argument(name + " is missing");
    return found->second;
  };
  Options options;
  options.address = value("--address");
  options.method = value("--method");
  options.request = file_bytes(value("--request"));
  options.concurrency = std::stoi(value("--concurrency"));
  options.seconds = std::stod(value("--seconds"));
  options.warmup = std::stod(value("--warmup"));
  if (options.concurrency < 1) throw std::invalid_argument("--concurrency must be at least 1");
  return options;
}

}  // namespace

int main(int count, char** words) {
  try {
    const Options options = parsed(count, words);
    Load(options).run();
  } catch (const std::exception& error) {
    std::cerr << "unary_load: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
