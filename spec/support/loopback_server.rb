# frozen_string_literal: true

require "json"
require "openssl"
require "socket"

module Support
  # An HTTP server on this machine. Its block answers each request with status, headers and body, or does on the
  # socket whatever it likes and returns nil, after which the connection is closed.
  class LoopbackServer
    Asked = Struct.new(:verb, :target, :headers, :body) do
      def path = target[/\A[^?]*/]
      def json = JSON.parse(body)
    end

    attr_reader :port, :connections

    def initialize(tls: nil, &answer)
      @listener = TCPServer.new("127.0.0.1", 0)
      @port = @listener.addr[1]
      @tls = tls
      @answer = answer
      @asked = Journal.new
      @connections = Journal.new
      @threads = [Thread.new { accept }]
    end

    def url(path = "", host: "127.0.0.1") = "#{@tls ? "https" : "http"}://#{host}:#{port}#{path}"

    # The requests that came, in their order.
    def asked = @asked.to_a

    def stop
      @listener.close
      @threads.each(&:kill).each(&:join)
    end

    # Ends a connection the hard way: its other end reads "reset by peer".
    def self.reset(socket)
      socket = socket.to_io
      socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_LINGER, [1, 0].pack("ii"))
      socket.close
    end

    private

    def accept
      loop do
        socket = @listener.accept
        @connections << socket
        @threads << Thread.new { converse(socket) }
      end
    rescue IOError
      nil
    end

    # What goes wrong on a connection is what its client sees.
    def converse(socket)
      socket = handshake(socket) if @tls
      while (asked = read(socket))
        @asked << asked
        status, headers, body = @answer.call(asked, socket)
        break if status.nil?

        write(socket, status, headers.to_h, body.to_s)
      end
    rescue SystemCallError, IOError, OpenSSL::SSL::SSLError
      nil
    ensure
      socket.close unless socket.closed?
    end

    def handshake(socket)
      context = OpenSSL::SSL::SSLContext.new
      context.key, context.cert = @tls
      OpenSSL::SSL::SSLSocket.new(socket, context).tap { |secured| secured.sync_close = true }.accept
    end

    def read(socket)
      method, target, = socket.gets&.split
      return unless target

      headers = {}
      while (line = socket.gets.chomp) && !line.empty?
        name, value = line.split(": ", 2)
        headers[name.downcase] = value
      end
      Asked.new(method, target, headers, socket.read(headers["content-length"].to_i))
    end

    def write(socket, status, headers, body)
      headers = { "Content-Length" => body.bytesize, **headers }
      lines = headers.map { |name, value| "#{name}: #{value}\r\n" }
      socket.write("HTTP/1.1 #{status} Told\r\n", *lines, "\r\n", body)
    end
  end

  # Servers of an example, which are stopped after it.
  module LoopbackServers
    JSON_HEADER = { "Content-Type" => "application/json" }.freeze

    def serve(**options, &)
      LoopbackServer.new(**options, &).tap { |server| (@servers ||= []) << server }
    end

    # A JSON answer.
    def json(value, status: 200, **headers)
      [status, { **JSON_HEADER, **headers.transform_keys(&:to_s) }, JSON.generate(value)]
    end

    # A key and the certificate that it signed itself, for a host.
    def self_signed(host)
      key = OpenSSL::PKey::RSA.new(2048)
      certificate = OpenSSL::X509::Certificate.new
      certificate.version = 2
      certificate.serial = 1
      certificate.subject = certificate.issuer = OpenSSL::X509::Name.parse("/CN=#{host}")
      certificate.public_key = key.public_key
      certificate.not_before = Time.now - 60
      certificate.not_after = Time.now + 3600
      factory = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
      certificate.add_extension(factory.create_extension("basicConstraints", "CA:TRUE", true))
      certificate.add_extension(factory.create_extension("subjectAltName", "DNS:#{host}"))
      [key, certificate.sign(key, OpenSSL::Digest.new("SHA256"))]
    end

    # A port on which nobody listens.
    def free_port
      TCPServer.open("127.0.0.1", 0) { |socket| socket.addr[1] }
    end

    # The step after a task with it has run; `config` and the other keys are the step's.
    def ask(config, context: {}, handler: TaskerCore::StepHandler::Http, **options)
      flow = workflow { step(:ask, handler, backoff: "none", retry_limit: 2, config: config, **options) }
      run_task(flow, context: context).step(:ask)
    end

    def stop_servers
      @servers&.each(&:stop)
    end
  end
end
