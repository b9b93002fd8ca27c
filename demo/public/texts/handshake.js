/** Texts of the panel about the handshake. */
export default {
  en: {
    'handshake.lead':
      'A WebSocket begins as an ordinary HTTP request that asks to switch protocols. Page code can neither set the headers of this request nor read the response. So the server connects to itself over a bare TCP connection, and shows what both sides really sent.',
    'handshake.cases': 'Try a handshake',
    'handshake.case.version-13': 'As it should be',
    'handshake.case.version-17': 'Version 17',
    'handshake.case.version-8': 'Version 8',
    'handshake.case.no-key': 'No key',
    'handshake.case.malformed-key': 'Malformed key',
    'handshake.case.foreign-origin': 'Foreign origin',
    'handshake.case.protocol-chat': 'Subprotocol chat',
    'handshake.case.protocol-tidings': 'Subprotocol tidings',
    'handshake.case.protocol-both': 'Offer both',
    'handshake.case.plain-get': 'Plain GET',
    'handshake.said.version-13':
      'Granted. After the empty line both sides speak WebSocket frames on the same connection; HTTP is over.',
    'handshake.said.version-17':
      'Refused. There is no version 17: 17 was the number of a draft. The response names the one version that this server speaks.',
    'handshake.said.version-8':
      'Refused. Some browsers of 2011 sent 8, before the standard was finished. The response names 13, and a client that knows 13 may try again.',
    'handshake.said.no-key':
      'Refused. Without a key the server could not prove that it has understood, and would switch for anything that looks alike.',
    'handshake.said.malformed-key':
      'Refused. The key has to be sixteen bytes in base64: 24 characters, the last two `==`.',
    'handshake.said.foreign-origin':
      'Refused. The request is well-formed. But a browser says which site’s page is asking, and this server accepts sockets from its own pages only.',
    'handshake.said.protocol-chat':
      'Granted, but with no subprotocol: the server does not speak `chat`, and says nothing of it. A browser that offered one and got none fails the connection.',
    'handshake.said.protocol-tidings':
      'Granted, and agreed: the response repeats the one subprotocol that both sides will speak.',
    'handshake.said.protocol-both':
      'Granted. The client offers in its order of preference; the server picks one of them, or none. Never two.',
    'handshake.said.plain-get':
      'Refused. Nobody asked for a switch, and this address has nothing else to give: 426 Upgrade Required, and what to upgrade to.',
    'handshake.failed': 'The server could not be asked: {reason}',
    'handshake.client': 'The client sends',
    'handshake.server': 'The server responds',
    'handshake.silent': 'Nothing came back within two seconds.',
    'handshake.bytes': 'The same as bytes ({count})',
    'handshake.body': 'The body',
    'handshake.line.get': 'An ordinary request: always GET, over HTTP/1.1. The path chooses the endpoint.',
    'handshake.line.101': 'Switching Protocols: the only status that opens a WebSocket.',
    'handshake.line.400': 'Bad Request: the handshake breaks a rule.',
    'handshake.line.403': 'Forbidden: understood, and not granted.',
    'handshake.line.426': 'Upgrade Required: not like this.',
    'handshake.line.other': 'Not a response of this endpoint.',
    'handshake.request.host': 'Which server is meant, by name and port.',
    'handshake.request.connection':
      'Says that `Upgrade` concerns this one connection: a proxy must not pass it on unread.',
    'handshake.request.close': 'The connection ends after the response.',
    'handshake.response.close': 'The connection ends after this response.',
    'handshake.request.upgrade': 'The protocol to switch to.',
    'handshake.request.origin':
      'The site whose page is asking. The browser writes it, and page code can’t change it: this is what keeps foreign pages out.',
    'handshake.request.sec-websocket-version':
      'The version of the protocol. The standard, RFC 6455, has the number 13.',
    'handshake.request.sec-websocket-key':
      'Sixteen random bytes in base64, new for each connection. No secret and no identity: the server has to work with them, to prove that it understands.',
    'handshake.request.sec-websocket-protocol':
      'The subprotocols that the client can speak, in order of preference.',
    'handshake.request.sec-websocket-extensions': 'What else the client can do: here, compress its messages.',
    'handshake.response.upgrade': 'What is switched to; in a refusal, what could be.',
    'handshake.response.connection': 'Concerns this connection only. `close`: it ends after this response.',
    'handshake.response.sec-websocket-accept':
      'The proof, made from the key as shown below. Only somebody who speaks WebSocket answers with it; a cache or a server that merely says 101 can’t.',
    'handshake.response.sec-websocket-protocol': 'The one subprotocol that is agreed on.',
    'handshake.response.sec-websocket-version': 'The versions that this server speaks.',
    'handshake.response.content-type':
      'The body of the refusal: here, an error that says how to fix the request.',
    'handshake.response.content-length': 'Bytes of the body.',
    'handshake.response.cache-control': 'Nobody may store this response.',
    'handshake.response.access-control-expose-headers':
      'Which headers a page of another origin may read, where CORS lets it ask at all.',
    'handshake.response.date': 'The server’s clock.',
    'handshake.response.keep-alive': 'How long the connection may idle.',
    'handshake.unknown': 'Not part of the handshake.',
    'handshake.proof': 'How the proof is made',
    'handshake.proof.lead':
      'Take the key as text, append a fixed text, hash both with SHA-1, and encode the hash in base64. Change the key and watch each step.',
    'handshake.key': 'Sec-WebSocket-Key',
    'handshake.example': 'The example',
    'handshake.live': 'The live key',
    'handshake.origin.example': 'An example.',
    'handshake.origin.live': 'The key of the handshake above.',
    'handshake.origin.refused':
      'The key of the handshake above. The server has refused this handshake, so it has made no proof.',
    'handshake.origin.none': 'An example: the request above has no key.',
    'handshake.origin.own': 'Your own key.',
    'handshake.step.join': 'The key, followed by the text that RFC 6455 defines for every server',
    'handshake.step.hash': 'SHA-1 of these {count} characters: 20 bytes (by {by})',
    'handshake.step.base64': 'The 20 bytes in base64: Sec-WebSocket-Accept',
    'handshake.equal': 'The server’s response above has the same value.',
    'handshake.unequal': 'The server’s response above has another value.',
    'handshake.nokey':
      'This is not a valid key: a key is sixteen bytes in base64. A server refuses it, but it can be hashed all the same.',
    'handshake.nokey.refused':
      'This is not a valid key: a key is sixteen bytes in base64. The server has refused it.',
    'handshake.noanswer':
      'Nothing to compare: this is the value that the server would have sent if it had accepted.',
    'handshake.wrong': 'What tutorials get wrong',
    'handshake.wrong.version':
      '“The version is 17.” It is 13. 17 was the number of the last draft, which itself asked for version 13.',
    'handshake.wrong.location':
      '“The server answers with `Sec-WebSocket-Location`.” That is from a protocol of 2010, before the RFC. No server of today sends it, and no browser reads it.',
    'handshake.wrong.key':
      '“The key identifies or authenticates the client.” It does neither: it is random, sent in the clear and forgotten. `Sec-WebSocket-Accept` proves that the server understood WebSocket, and nothing about the client.',
    'handshake.wrong.origin':
      '“A socket is safe from other sites.” CORS does not apply to it: any page may try. What keeps foreign pages out is a server that checks `Origin`. Programs that are no browsers can write whatever they like there, so users have to be authenticated besides.',
    'handshake.wrong.long':
      '“长连接 (long connection)” in Chinese tutorials often means long polling. A persistent connection (keep-alive) is something else: one that is used for further requests, whatever they ask.',
    'handshake.wrong.names':
      '“`CLOSE`” and “`bufferAmount`” do not exist. The states are CONNECTING, OPEN, CLOSING and `CLOSED`; the count is called `bufferedAmount`.',
    'handshake.wrong.buffered':
      '“`bufferedAmount === 0` right after `send` means that it is sent.” It is no proof: the count covers what waits in the browser. What has left it may be in the system, on the way, or lost; only an answer proves that it has arrived.',
  },
  zh: {
    'handshake.lead':
      'WebSocket 连接始于一个普通的 HTTP 请求，它要求切换协议。网页代码既不能设置这个请求的头部，也读不到响应。因此由服务器通过一条裸 TCP 连接与自己握手，把双方实际发送的内容展示出来。',
    'handshake.cases': '试一次握手',
    'handshake.case.version-13': '正确的握手',
    'handshake.case.version-17': '版本 17',
    'handshake.case.version-8': '版本 8',
    'handshake.case.no-key': '没有 Key',
    'handshake.case.malformed-key': '格式错误的 Key',
    'handshake.case.foreign-origin': '其他站点的 Origin',
    'handshake.case.protocol-chat': '子协议 chat',
    'handshake.case.protocol-tidings': '子协议 tidings',
    'handshake.case.protocol-both': '同时提出两个',
    'handshake.case.plain-get': '普通 GET',
    'handshake.said.version-13': '同意。空行之后，双方在同一条连接上改用 WebSocket 帧交谈，HTTP 到此结束。',
    'handshake.said.version-17':
      '拒绝。没有版本 17：17 是某份草案的编号。响应里写明了本服务器唯一支持的版本。',
    'handshake.said.version-8':
      '拒绝。2011 年标准定稿之前，有些浏览器发送 8。响应里写明 13，支持 13 的客户端可以再试。',
    'handshake.said.no-key':
      '拒绝。没有 Key，服务器就无法证明自己真的理解 WebSocket，任何相似的请求都会让它切换协议。',
    'handshake.said.malformed-key': '拒绝。Key 必须是十六个字节的 base64：24 个字符，最后两个是 `==`。',
    'handshake.said.foreign-origin':
      '拒绝。请求本身没有错；但浏览器会说明请求来自哪个站点的页面，而本服务器只接受自己的页面。',
    'handshake.said.protocol-chat':
      '同意，但没有选定子协议：服务器不支持 `chat`，响应里也就不提。浏览器提出了子协议却没有得到，会让连接失败。',
    'handshake.said.protocol-tidings': '同意，子协议也已商定：响应里写明双方将要使用的那一个。',
    'handshake.said.protocol-both':
      '同意。客户端按偏好顺序列出，服务器从中选一个，或者一个也不选，绝不会选两个。',
    'handshake.said.plain-get':
      '拒绝。这个请求没有要求切换协议，而这个地址没有别的内容可给：426 Upgrade Required，并说明应升级到什么协议。',
    'handshake.failed': '无法连接服务器：{reason}',
    'handshake.client': '客户端发送',
    'handshake.server': '服务器响应',
    'handshake.silent': '两秒之内没有任何响应。',
    'handshake.bytes': '同样内容的字节（{count}）',
    'handshake.body': '消息体',
    'handshake.line.get': '一个普通请求：必须是 GET，使用 HTTP/1.1。路径决定访问哪个接口。',
    'handshake.line.101': '切换协议：唯一能打开 WebSocket 的状态码。',
    'handshake.line.400': '错误的请求：握手违反了规则。',
    'handshake.line.403': '禁止：看懂了，但不同意。',
    'handshake.line.426': '需要升级：不能这样请求。',
    'handshake.line.other': '不是本接口的响应。',
    'handshake.request.host': '目标服务器的名称和端口。',
    'handshake.request.connection': '说明 `Upgrade` 只对这一条连接有效：代理不得原样转发。',
    'handshake.request.close': '响应之后关闭连接。',
    'handshake.response.close': '本次响应之后关闭连接。',
    'handshake.request.upgrade': '要切换到的协议。',
    'handshake.request.origin':
      '发出请求的页面属于哪个站点。由浏览器填写，网页代码改不了：服务器靠它拒绝其他站点的页面。',
    'handshake.request.sec-websocket-version': '协议的版本。标准 RFC 6455 的版本号是 13。',
    'handshake.request.sec-websocket-key':
      '十六个随机字节的 base64，每条连接都不同。它既不是密钥，也不代表身份：服务器必须用它运算，以证明自己理解 WebSocket。',
    'handshake.request.sec-websocket-protocol': '客户端支持的子协议，按偏好排列。',
    'handshake.request.sec-websocket-extensions': '客户端支持的扩展；这里是消息压缩。',
    'handshake.response.upgrade': '切换到的协议；在拒绝的响应里，是可以切换到的协议。',
    'handshake.response.connection': '只对这条连接有效；`close`：响应之后关闭连接。',
    'handshake.response.sec-websocket-accept':
      '证明，由 Key 按下面的步骤算出。只有真正支持 WebSocket 的一方才算得出；缓存或只会返回 101 的服务器做不到。',
    'handshake.response.sec-websocket-protocol': '商定的那一个子协议。',
    'handshake.response.sec-websocket-version': '本服务器支持的版本。',
    'handshake.response.content-type': '拒绝时的消息体：这里是一条说明如何改正的错误。',
    'handshake.response.content-length': '消息体的字节数。',
    'handshake.response.cache-control': '任何缓存都不得保存这个响应。',
    'handshake.response.access-control-expose-headers': '在 CORS 允许时，其他源的页面可以读取哪些头部。',
    'handshake.response.date': '服务器的时钟。',
    'handshake.response.keep-alive': '连接可以空闲多久。',
    'handshake.unknown': '不属于握手。',
    'handshake.proof': '证明是怎样算出来的',
    'handshake.proof.lead':
      '把 Key 当作普通文本，后面接上一段固定文本，计算 SHA-1，再把结果编码为 base64。修改 Key，看看每一步的变化。',
    'handshake.key': 'Sec-WebSocket-Key',
    'handshake.example': '示例',
    'handshake.live': '实际的 Key',
    'handshake.origin.example': '示例。',
    'handshake.origin.live': '上面这次握手的 Key。',
    'handshake.origin.refused': '上面这次握手的 Key。服务器拒绝了握手，因此没有给出证明。',
    'handshake.origin.none': '示例：上面的请求没有 Key。',
    'handshake.origin.own': '你输入的 Key。',
    'handshake.step.join': 'Key，后面接上 RFC 6455 规定的固定文本',
    'handshake.step.hash': '这 {count} 个字符的 SHA-1：20 个字节（由 {by} 计算）',
    'handshake.step.base64': '这 20 个字节的 base64：Sec-WebSocket-Accept',
    'handshake.equal': '与上面服务器响应中的值相同。',
    'handshake.unequal': '与上面服务器响应中的值不同。',
    'handshake.nokey': '这不是有效的 Key：应为十六个字节的 base64。服务器会拒绝它，不过仍然可以计算散列。',
    'handshake.nokey.refused': '这不是有效的 Key：应为十六个字节的 base64。服务器已拒绝它。',
    'handshake.noanswer': '没有可对照的值：如果服务器同意握手，就会返回这个值。',
    'handshake.wrong': '教程里常见的错误',
    'handshake.wrong.version':
      '“版本是 17。”应当是 13。17 是最后一份草案的编号，而那份草案要求的版本也是 13。',
    'handshake.wrong.location':
      '“服务器会返回 `Sec-WebSocket-Location`。”那属于 2010 年、RFC 之前的协议。如今没有服务器发送它，也没有浏览器读取它。',
    'handshake.wrong.key':
      '“Key 用来识别或认证客户端。”都不对：它是随机的，明文发送，用完即弃。`Sec-WebSocket-Accept` 证明服务器理解 WebSocket，与客户端的身份毫无关系。',
    'handshake.wrong.origin':
      '“其他站点连不上我的 WebSocket。”CORS 管不到它：任何页面都可以尝试。真正起作用的是检查 `Origin` 的服务器。非浏览器程序可以随意填写 `Origin`，所以用户还需要另外认证。',
    'handshake.wrong.long':
      '不少中文教程把长轮询称为“长连接”。真正的长连接（keep-alive）是另一回事：同一条连接继续用于后面的请求，与请求的内容无关。',
    'handshake.wrong.names':
      '“`CLOSE`”和“`bufferAmount`”并不存在。状态是 CONNECTING、OPEN、CLOSING 和 `CLOSED`；计数叫 `bufferedAmount`。',
    'handshake.wrong.buffered':
      '“`send` 之后 `bufferedAmount === 0` 就说明发出去了。”这证明不了什么：它只统计还在浏览器里排队的字节。离开浏览器的数据可能还在操作系统里、在途中，或者已经丢失；只有对方的回复才能证明已经送达。',
  },
}
