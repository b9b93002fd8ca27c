/** Texts of the panel about the handshake. */
export default {
  en: {
    'handshake.lead':
      'A WebSocket begins as an ordinary HTTP request that asks to switch protocols. Page code can neither set the headers of this request nor read the response. So the server connects to itself over a bare TCP connection, and shows what both sides really sent.',
    'handshake.cases': 'Try a handshake',
    'handshake.case.version-13': 'Valid handshake',
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
      'Accepted. After the empty line, both sides send WebSocket frames on the same connection. HTTP has ended.',
    'handshake.said.version-17':
      'Refused. Version 17 does not exist: 17 was the number of a draft. The response names the one version that this server supports.',
    'handshake.said.version-8':
      'Refused. Some browsers of 2011 sent 8, before the standard was finished. The response names 13. A client that supports 13 may try again.',
    'handshake.said.no-key':
      'Refused. Without a key, the server cannot prove that it understands WebSocket. It would also accept requests that only look similar.',
    'handshake.said.malformed-key':
      'Refused. The key must be sixteen bytes in base64: 24 characters, of which the last two are `==`.',
    'handshake.said.foreign-origin':
      'Refused. The request is well-formed, but the browser states which site’s page sends it. This server accepts sockets from its own pages only.',
    'handshake.said.protocol-chat':
      'Accepted, but without a subprotocol: the server does not support `chat`. A browser that offers a subprotocol and gets none fails the connection.',
    'handshake.said.protocol-tidings':
      'Accepted. The response names the one subprotocol that both sides will use.',
    'handshake.said.protocol-both':
      'Accepted. The client lists its offers in order of preference. The server picks one of them or none, never two.',
    'handshake.said.plain-get':
      'Refused. The request does not ask to switch protocols, and this address serves nothing else. The 426 response names the protocol to upgrade to.',
    'handshake.failed': 'The handshake could not be made: {reason}',
    'handshake.client': 'The client sends',
    'handshake.server': 'The server responds',
    'handshake.silent': 'The server did not respond within two seconds.',
    'handshake.bytes': 'The same in bytes ({count})',
    'handshake.body': 'The body',
    'handshake.line.get':
      'An ordinary HTTP/1.1 request. The method is always GET. The path selects the endpoint.',
    'handshake.line.101': 'Switching Protocols: the only status that opens a WebSocket.',
    'handshake.line.400': 'Bad Request: the handshake breaks a rule.',
    'handshake.line.403': 'Forbidden: the server understands the request, but refuses it.',
    'handshake.line.426': 'Upgrade Required: the client must ask for another protocol or version.',
    'handshake.line.other': 'This endpoint does not send this status.',
    'handshake.request.host': 'The name and port of the server.',
    'handshake.request.connection':
      'States that `Upgrade` applies to this connection only. A proxy must not simply forward it.',
    'handshake.request.close': 'Asks the server to close the connection after its response.',
    'handshake.response.close': 'The server closes the connection after this response.',
    'handshake.request.upgrade': 'The protocol to switch to.',
    'handshake.request.origin':
      'The site of the page that sends the request. The browser sets it, and page code cannot change it. Servers use it to refuse foreign pages.',
    'handshake.request.sec-websocket-version': 'The protocol version. The standard, RFC 6455, defines 13.',
    'handshake.request.sec-websocket-key':
      'Sixteen random bytes in base64, new for each connection. They are neither a secret nor an identity. The server computes its proof from them.',
    'handshake.request.sec-websocket-protocol':
      'The subprotocols that the client supports, in order of preference.',
    'handshake.request.sec-websocket-extensions':
      'The extensions that the client supports: here, message compression.',
    'handshake.response.upgrade': 'The protocol to switch to; in a refusal, the one that the server offers.',
    'handshake.response.connection':
      'Applies to this connection only. `close`: the server closes it after this response.',
    'handshake.response.sec-websocket-accept':
      'The proof, computed from the key as shown below. Only a server that supports WebSocket sends it. A cache, or a server that just sends 101, does not.',
    'handshake.response.sec-websocket-protocol': 'The one subprotocol that both sides will use.',
    'handshake.response.sec-websocket-version': 'The versions that this server supports.',
    'handshake.response.content-type':
      'The format of the body: here, an error that explains how to fix the request.',
    'handshake.response.content-length': 'Bytes in the body.',
    'handshake.response.cache-control': 'No cache may store this response.',
    'handshake.response.access-control-expose-headers':
      'The headers that a page of another origin may read, if CORS allows the request.',
    'handshake.response.date': 'The server’s clock.',
    'handshake.response.keep-alive': 'How long the connection may stay idle.',
    'handshake.unknown': 'Not part of the handshake.',
    'handshake.proof': 'How the proof is computed',
    'handshake.proof.lead':
      'Take the key as text, append a fixed text, hash the result with SHA-1, and encode the hash in base64. Change the key and watch each step.',
    'handshake.key': 'Sec-WebSocket-Key',
    'handshake.example': 'The example',
    'handshake.live': 'The live key',
    'handshake.origin.example': 'An example.',
    'handshake.origin.live': 'The key of the handshake above.',
    'handshake.origin.refused':
      'The key of the handshake above. The server refused this handshake, so it sent no proof.',
    'handshake.origin.none': 'An example: the request above has no key.',
    'handshake.origin.own': 'Your own key.',
    'handshake.step.join': 'The key, followed by the text that RFC 6455 defines for every server',
    'handshake.step.hash': 'SHA-1 of these {count} characters: 20 bytes (by {by})',
    'handshake.step.base64': 'The 20 bytes in base64: Sec-WebSocket-Accept',
    'handshake.equal': 'The server’s response above has the same value.',
    'handshake.unequal': 'The server’s response above has another value.',
    'handshake.nokey':
      'This is not a valid key: a key is sixteen bytes in base64. A server refuses it, but the page can still hash it.',
    'handshake.nokey.refused':
      'This is not a valid key: a key is sixteen bytes in base64. The server refused it.',
    'handshake.noanswer':
      'There is nothing to compare. If the server had accepted the handshake, it would have sent this value.',
    'handshake.wrong': 'What tutorials get wrong',
    'handshake.wrong.version':
      '“The version is 17.” It is 13. 17 was the number of the last draft, which itself required version 13.',
    'handshake.wrong.location':
      '“The server responds with `Sec-WebSocket-Location`.” That header is from a protocol of 2010, before the RFC. Today no server sends it, and no browser reads it.',
    'handshake.wrong.key':
      '“The key identifies or authenticates the client.” It does neither: it is random, sent in the clear, and used once. `Sec-WebSocket-Accept` proves that the server understands WebSocket. It proves nothing about the client.',
    'handshake.wrong.origin':
      '“Other sites cannot use my WebSocket.” CORS does not apply to WebSocket: any page may try to connect. The server keeps foreign pages out by checking `Origin`. Programs other than browsers can send any `Origin`, so the server must also authenticate its users.',
    'handshake.wrong.long':
      '“长连接 (long connection)” in Chinese tutorials often means long polling. A persistent connection (keep-alive) is different: it carries further requests, whatever they ask for.',
    'handshake.wrong.names':
      '“`CLOSE`” and “`bufferAmount`” do not exist. The states are CONNECTING, OPEN, CLOSING and `CLOSED`; the property is called `bufferedAmount`.',
    'handshake.wrong.buffered':
      '“`bufferedAmount === 0` right after `send` means that the message is sent.” It does not: it counts only the bytes that wait in the browser. Data that has left the browser may be in the operating system, on its way, or lost. Only a reply proves that it arrived.',
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
    'handshake.case.protocol-both': '同时提供两个',
    'handshake.case.plain-get': '普通 GET',
    'handshake.said.version-13': '接受。空行之后，双方在同一条连接上发送 WebSocket 帧，HTTP 到此结束。',
    'handshake.said.version-17':
      '拒绝。版本 17 不存在：17 是某份草案的编号。响应写明了本服务器支持的唯一版本。',
    'handshake.said.version-8':
      '拒绝。2011 年标准定稿之前，有些浏览器发送 8。响应写明了 13，支持 13 的客户端可以重试。',
    'handshake.said.no-key':
      '拒绝。没有 Key，服务器就无法证明自己理解 WebSocket，还会接受只是看起来相似的请求。',
    'handshake.said.malformed-key': '拒绝。Key 必须是十六个字节的 base64：共 24 个字符，最后两个是 `==`。',
    'handshake.said.foreign-origin':
      '拒绝。请求的格式没有错，但浏览器会说明请求来自哪个站点的页面。本服务器只接受自己页面的连接。',
    'handshake.said.protocol-chat':
      '接受，但没有子协议：服务器不支持 `chat`。浏览器提供了子协议却没有得到，会让连接失败。',
    'handshake.said.protocol-tidings': '接受。响应写明了双方将要使用的那一个子协议。',
    'handshake.said.protocol-both': '接受。客户端按偏好顺序列出子协议，服务器选一个或者不选，绝不会选两个。',
    'handshake.said.plain-get':
      '拒绝。这个请求没有要求切换协议，而这个地址不提供其他内容。响应是 426 Upgrade Required，并说明应升级到什么协议。',
    'handshake.failed': '无法进行握手：{reason}',
    'handshake.client': '客户端发送',
    'handshake.server': '服务器响应',
    'handshake.silent': '服务器在两秒之内没有响应。',
    'handshake.bytes': '以字节表示（{count}）',
    'handshake.body': '消息体',
    'handshake.line.get': '一个普通的 HTTP/1.1 请求。方法必须是 GET。路径决定访问哪个接口。',
    'handshake.line.101': '切换协议：唯一能打开 WebSocket 的状态码。',
    'handshake.line.400': '错误的请求：握手违反了规则。',
    'handshake.line.403': '禁止：服务器理解请求，但拒绝执行。',
    'handshake.line.426': '需要升级：客户端必须请求另一种协议或版本。',
    'handshake.line.other': '本接口不会返回这个状态码。',
    'handshake.request.host': '服务器的名称和端口。',
    'handshake.request.connection': '说明 `Upgrade` 只对这一条连接有效。代理不得直接转发它。',
    'handshake.request.close': '要求服务器在响应之后关闭连接。',
    'handshake.response.close': '服务器在本次响应之后关闭连接。',
    'handshake.request.upgrade': '要切换到的协议。',
    'handshake.request.origin':
      '发出请求的页面属于哪个站点。它由浏览器填写，网页代码无法修改。服务器靠它拒绝其他站点的页面。',
    'handshake.request.sec-websocket-version': '协议的版本。标准 RFC 6455 规定为 13。',
    'handshake.request.sec-websocket-key':
      '十六个随机字节的 base64，每条连接都不同。它既不是密钥，也不代表身份。服务器用它计算证明。',
    'handshake.request.sec-websocket-protocol': '客户端支持的子协议，按偏好排列。',
    'handshake.request.sec-websocket-extensions': '客户端支持的扩展；这里是消息压缩。',
    'handshake.response.upgrade': '要切换到的协议；如果拒绝，则是服务器提供的协议。',
    'handshake.response.connection': '只对这条连接有效。`close`：服务器在本次响应之后关闭连接。',
    'handshake.response.sec-websocket-accept':
      '证明，由 Key 按下面的步骤算出。只有支持 WebSocket 的服务器才会发送它。缓存或只会返回 101 的服务器不会。',
    'handshake.response.sec-websocket-protocol': '双方将要使用的那一个子协议。',
    'handshake.response.sec-websocket-version': '本服务器支持的版本。',
    'handshake.response.content-type': '消息体的格式：这里是一条说明如何改正请求的错误。',
    'handshake.response.content-length': '消息体的字节数。',
    'handshake.response.cache-control': '任何缓存都不得保存这个响应。',
    'handshake.response.access-control-expose-headers': '如果 CORS 允许请求，其他源的页面可以读取的头部。',
    'handshake.response.date': '服务器的时钟。',
    'handshake.response.keep-alive': '连接可以空闲多久。',
    'handshake.unknown': '不属于握手。',
    'handshake.proof': '证明的计算方法',
    'handshake.proof.lead':
      '把 Key 当作普通文本，后面接上一段固定文本，对结果计算 SHA-1，再编码为 base64。修改 Key，看看每一步的变化。',
    'handshake.key': 'Sec-WebSocket-Key',
    'handshake.example': '示例',
    'handshake.live': '实际的 Key',
    'handshake.origin.example': '示例。',
    'handshake.origin.live': '上面这次握手的 Key。',
    'handshake.origin.refused': '上面这次握手的 Key。服务器拒绝了握手，因此没有发送证明。',
    'handshake.origin.none': '示例：上面的请求没有 Key。',
    'handshake.origin.own': '你输入的 Key。',
    'handshake.step.join': 'Key，后面接上 RFC 6455 规定的固定文本',
    'handshake.step.hash': '这 {count} 个字符的 SHA-1：20 个字节（由 {by} 计算）',
    'handshake.step.base64': '这 20 个字节的 base64：Sec-WebSocket-Accept',
    'handshake.equal': '与上面服务器响应中的值相同。',
    'handshake.unequal': '与上面服务器响应中的值不同。',
    'handshake.nokey':
      '这不是有效的 Key：应为十六个字节的 base64。服务器会拒绝它，但页面仍然可以计算它的散列。',
    'handshake.nokey.refused': '这不是有效的 Key：应为十六个字节的 base64。服务器已拒绝它。',
    'handshake.noanswer': '没有可对照的值。如果服务器接受握手，就会发送这个值。',
    'handshake.wrong': '教程里常见的错误',
    'handshake.wrong.version':
      '“版本是 17。”应当是 13。17 是最后一份草案的编号，而那份草案要求的版本也是 13。',
    'handshake.wrong.location':
      '“服务器会返回 `Sec-WebSocket-Location`。”这个头部属于 2010 年、RFC 之前的协议。如今没有服务器发送它，也没有浏览器读取它。',
    'handshake.wrong.key':
      '“Key 用来识别或认证客户端。”都不对：它是随机的，明文发送，只用一次。`Sec-WebSocket-Accept` 证明服务器理解 WebSocket，与客户端的身份无关。',
    'handshake.wrong.origin':
      '“其他站点连不上我的 WebSocket。”CORS 不适用于 WebSocket：任何页面都可以尝试连接。服务器要检查 `Origin`，才能拒绝其他站点的页面。非浏览器程序可以随意填写 `Origin`，所以服务器还要认证用户。',
    'handshake.wrong.long':
      '不少中文教程把长轮询称为“长连接”。真正的长连接（keep-alive）是另一回事：同一条连接用于后面的请求，与请求的内容无关。',
    'handshake.wrong.names':
      '“`CLOSE`”和“`bufferAmount`”并不存在。状态是 CONNECTING、OPEN、CLOSING 和 `CLOSED`；属性叫 `bufferedAmount`。',
    'handshake.wrong.buffered':
      '“`send` 之后 `bufferedAmount === 0` 就说明消息发出去了。”并非如此：它只统计在浏览器里排队的字节。离开浏览器的数据可能还在操作系统里、在途中，或者已经丢失。只有对方的回复才能证明数据已经送达。',
  },
}
