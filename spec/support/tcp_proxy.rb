# frozen_string_literal: true

require "socket"

module Support
  # Stands between the gem and a server: hands on every byte, late if it is told so; goes away and comes back on the
  # same port; or falls silent, so that nobody hears of anything any more.
  class TcpProxy
    attr_reader :port

    # @param target [Array(String, Integer)] host and port
    def initialize(target)
      @target = target
      @delay = 0.0
      @lock = Mutex.new
      @pairs = []
      @port = 0
      come_back
    end

    # Each read of either end is handed on so many seconds later.
    attr_writer :delay

    # Cuts every connection, and takes none: connecting is refused.
    def go_away
      @listener.close
      @accepting.join
      cut
    end

    def come_back
      @listener = TCPServer.new("127.0.0.1", @port)
      @port = @listener.addr[1]
      @accepting = Thread.new(@listener) { |listener| accept(listener) }
    end

    # Cuts every connection, and takes new ones.
    def cut
      @lock.synchronize { @pairs.slice!(0..) }.flatten.each { |socket| close(socket) }
    end

    # From now on the connections of now hear and say nothing, and don't end either; new ones work.
    def forget
      @lock.synchronize { @pairs.each { |pair| pair.each { |socket| silent[socket] = true } } }
    end

    # How many connections there are.
    def connections = @lock.synchronize { @pairs.size }

    def stop
      go_away unless @listener.closed?
    end

    private

    def silent = @silent ||= {}.compare_by_identity

    def accept(listener)
      loop { connect(listener.accept) }
    rescue IOError, Errno::EBADF
      nil
    end

    def connect(client)
      pair = [client, TCPSocket.new(*@target)]
      pair.each { |socket| socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
      @lock.synchronize { @pairs << pair }
      [pair, pair.reverse].each { |from, to| Thread.new { hand_on(from, to, pair) } }
    rescue SystemCallError
      client.close
    end

    def hand_on(from, to, pair)
      loop do
        bytes = from.readpartial(65_536)
        sleep(@delay) if @delay.positive?
        to.write(bytes) unless silent[from]
      end
    rescue SystemCallError, IOError
      return if silent[from]

      pair.each { |socket| close(socket) }
      @lock.synchronize { @pairs.delete(pair) }
    end

    def close(socket)
      socket.close
    rescue IOError
      nil
    end
  end

  # A proxy of an example, which is stopped after it.
  module TcpProxies
    # Before the example's PostgreSQL database.
    def proxy
      @proxy ||= begin
        uri = URI.parse(database.url)
        TcpProxy.new([uri.host, uri.port || 5432])
      end
    end

    # The database's URL through the proxy.
    def proxied_url(**options)
      uri = URI.parse(database.url)
      uri.host = "127.0.0.1"
      uri.port = proxy.port
      given = URI.decode_www_form(uri.query.to_s) + options.map { |name, value| [name.to_s, value.to_s] }
      uri.query = URI.encode_www_form(given) unless given.empty?
      uri.to_s
    end

    def stop_proxy
      @proxy&.stop
    end
  end
end
