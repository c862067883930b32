/*-------------------------------------------------------------------------
 * extension/kafka_property_list.h
 *    every librdkafka property we know of, and who may set it
 *
 * Included by kafka_conf.c only, which defines US_PROPERTY(name, rule, why);
 * hence no include guard.  An option is looked up here before librdkafka
 * sees it, because setting some of them already acts (plugin.library.paths
 * loads a library).  What is not in the list is refused, so a property that a
 * newer librdkafka brings stays closed until someone has read about it.
 *
 * rule:    FREE        on a server, by anyone who may create servers
 *          SUPERUSER   on a server, by a superuser; why completes a detail
 *          CREDENTIAL  in a user mapping only
 *          NEVER       refused; why is the hint
 * Source:  CONFIGURATION.md of librdkafka 2.0.2 to 2.15.0 (2.16.0 has no more), and the properties
 *          that rdkafka_conf.c hides from it
 *-------------------------------------------------------------------------
 */

#define OURS		"Streams and feeds set it themselves."
#define POSITIONS	"Positions are kept in PostgreSQL, so nothing is read from a consumer group."
#define GUARANTEE	"Feeds set it themselves, so that no record is lost."
#define CODE		"It would run a program or load a library in the server."
#define CALLBACK	"It is for programs that call librdkafka, not for SQL."
#define SHARE		"It is for share consumers; a stream reads every message itself."
#define INTERNAL	"It is internal to librdkafka."
#define INSTEAD(name) "Use the option \"" name "\" instead."

#define FILE_NAME	"It names a file of the server's machine."
#define URL			"It lets the server call a URL."

/* connection */
US_PROPERTY("bootstrap.servers", FREE, NULL)
US_PROPERTY("metadata.broker.list", NEVER, INSTEAD("bootstrap.servers"))
US_PROPERTY("broker.address.family", FREE, NULL)
US_PROPERTY("broker.address.ttl", FREE, NULL)
US_PROPERTY("broker.version.fallback", FREE, NULL)
US_PROPERTY("api.version.fallback.ms", FREE, NULL)
US_PROPERTY("api.version.request", FREE, NULL)
US_PROPERTY("api.version.request.timeout.ms", FREE, NULL)
US_PROPERTY("builtin.features", FREE, NULL)
US_PROPERTY("client.dns.lookup", FREE, NULL)
US_PROPERTY("client.id", NEVER, OURS)
US_PROPERTY("client.rack", FREE, NULL)
US_PROPERTY("connections.max.idle.ms", FREE, NULL)
US_PROPERTY("enable.metrics.push", FREE, NULL)
US_PROPERTY("enable.random.seed", FREE, NULL)
US_PROPERTY("max.in.flight", NEVER, INSTEAD("max.in.flight.requests.per.connection"))
US_PROPERTY("max.in.flight.requests.per.connection", FREE, NULL)
US_PROPERTY("message.copy.max.bytes", FREE, NULL)
US_PROPERTY("message.max.bytes", FREE, NULL)
US_PROPERTY("receive.message.max.bytes", FREE, NULL)
US_PROPERTY("reconnect.backoff.jitter.ms", FREE, NULL)
US_PROPERTY("reconnect.backoff.max.ms", FREE, NULL)
US_PROPERTY("reconnect.backoff.ms", FREE, NULL)
US_PROPERTY("retry.backoff.max.ms", FREE, NULL)
US_PROPERTY("retry.backoff.ms", FREE, NULL)
US_PROPERTY("socket.blocking.max.ms", FREE, NULL)
US_PROPERTY("socket.connection.setup.timeout.ms", FREE, NULL)
US_PROPERTY("socket.keepalive.enable", FREE, NULL)
US_PROPERTY("socket.max.fails", FREE, NULL)
US_PROPERTY("socket.nagle.disable", FREE, NULL)
US_PROPERTY("socket.receive.buffer.bytes", FREE, NULL)
US_PROPERTY("socket.send.buffer.bytes", FREE, NULL)
US_PROPERTY("socket.timeout.ms", FREE, NULL)

/* metadata */
US_PROPERTY("allow.auto.create.topics", NEVER, "A stream never creates its topic.")
US_PROPERTY("metadata.max.age.ms", FREE, NULL)
US_PROPERTY("metadata.recovery.rebootstrap.trigger.ms", FREE, NULL)
US_PROPERTY("metadata.recovery.strategy", FREE, NULL)
US_PROPERTY("topic.blacklist", FREE, NULL)
US_PROPERTY("topic.metadata.propagation.max.ms", FREE, NULL)
US_PROPERTY("topic.metadata.refresh.fast.cnt", FREE, NULL)
US_PROPERTY("topic.metadata.refresh.fast.interval.ms", FREE, NULL)
US_PROPERTY("topic.metadata.refresh.interval.ms", FREE, NULL)
US_PROPERTY("topic.metadata.refresh.sparse", FREE, NULL)

/* logging and statistics; debug lines go to everybody's log and tell what passes */
US_PROPERTY("debug", SUPERUSER, "It writes details of connections into the server's log.")
US_PROPERTY("log.connection.close", FREE, NULL)
US_PROPERTY("log.queue", NEVER, OURS)
US_PROPERTY("log.thread.name", NEVER, OURS)
US_PROPERTY("log_level", NEVER, OURS)
US_PROPERTY("statistics.interval.ms", NEVER, OURS)

/* TLS */
US_PROPERTY("security.protocol", FREE, NULL)
US_PROPERTY("enable.ssl.certificate.verification", FREE, NULL)
US_PROPERTY("https.ca.location", SUPERUSER, FILE_NAME)
US_PROPERTY("https.ca.pem", FREE, NULL)
US_PROPERTY("ssl.ca.certificate.stores", SUPERUSER, "It names a certificate store of the server's machine.")
US_PROPERTY("ssl.ca.location", SUPERUSER, FILE_NAME)
US_PROPERTY("ssl.ca.pem", FREE, NULL)
US_PROPERTY("ssl.certificate.location", SUPERUSER, FILE_NAME)
US_PROPERTY("ssl.certificate.pem", FREE, NULL)
US_PROPERTY("ssl.certificate.verify_cb", NEVER, CALLBACK)
US_PROPERTY("ssl.cipher.suites", FREE, NULL)
US_PROPERTY("ssl.crl.location", SUPERUSER, FILE_NAME)
US_PROPERTY("ssl.curves.list", FREE, NULL)
US_PROPERTY("ssl.endpoint.identification.algorithm", FREE, NULL)
US_PROPERTY("ssl.engine.id", NEVER, CODE)
US_PROPERTY("ssl.engine.location", NEVER, CODE)
US_PROPERTY("ssl.key.location", SUPERUSER, FILE_NAME)
US_PROPERTY("ssl.key.password", CREDENTIAL, NULL)
US_PROPERTY("ssl.key.pem", CREDENTIAL, NULL)
US_PROPERTY("ssl.keystore.location", SUPERUSER, FILE_NAME)
US_PROPERTY("ssl.keystore.password", CREDENTIAL, NULL)
US_PROPERTY("ssl.providers", NEVER, CODE)
US_PROPERTY("ssl.sigalgs.list", FREE, NULL)
US_PROPERTY("ssl_ca", NEVER, INSTEAD("ssl.ca.pem"))
US_PROPERTY("ssl_certificate", NEVER, INSTEAD("ssl.certificate.pem"))
US_PROPERTY("ssl_engine_callback_data", NEVER, CALLBACK)
US_PROPERTY("ssl_key", NEVER, INSTEAD("ssl.key.pem"))

/*
 * SASL.  The Kerberos principal is pasted unquoted into a shell command; see
 * also us_kafka_conf_check for the mechanism GSSAPI.
 */
US_PROPERTY("enable.sasl.oauthbearer.unsecure.jwt", FREE, NULL)
US_PROPERTY("sasl.kerberos.keytab", SUPERUSER, FILE_NAME)
US_PROPERTY("sasl.kerberos.kinit.cmd", NEVER, CODE)
US_PROPERTY("sasl.kerberos.min.time.before.relogin", FREE, NULL)
US_PROPERTY("sasl.kerberos.principal", SUPERUSER, "It becomes part of a command that the server runs.")
US_PROPERTY("sasl.kerberos.service.name", FREE, NULL)
US_PROPERTY("sasl.mechanism", NEVER, INSTEAD("sasl.mechanisms"))
US_PROPERTY("sasl.mechanisms", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.algorithm", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.aud", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.exp.seconds", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.iss", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.jti.include", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.nbf.seconds", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.claim.sub", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.file", SUPERUSER, FILE_NAME)
US_PROPERTY("sasl.oauthbearer.assertion.jwt.template.file", SUPERUSER, FILE_NAME)
US_PROPERTY("sasl.oauthbearer.assertion.private.key.file", SUPERUSER, FILE_NAME)
US_PROPERTY("sasl.oauthbearer.assertion.private.key.passphrase", CREDENTIAL, NULL)
US_PROPERTY("sasl.oauthbearer.assertion.private.key.pem", CREDENTIAL, NULL)
US_PROPERTY("sasl.oauthbearer.client.credentials.client.id", NEVER, INSTEAD("sasl.oauthbearer.client.id"))
US_PROPERTY("sasl.oauthbearer.client.credentials.client.secret", NEVER, INSTEAD("sasl.oauthbearer.client.secret"))
US_PROPERTY("sasl.oauthbearer.client.id", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.client.secret", CREDENTIAL, NULL)
US_PROPERTY("sasl.oauthbearer.config", CREDENTIAL, NULL)
US_PROPERTY("sasl.oauthbearer.extensions", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.grant.type", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.metadata.authentication.type", SUPERUSER, "It lends the identity of the server's machine.")
US_PROPERTY("sasl.oauthbearer.method", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.scope", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.sub.claim.name", FREE, NULL)
US_PROPERTY("sasl.oauthbearer.token.endpoint.url", SUPERUSER, URL)
US_PROPERTY("sasl.password", CREDENTIAL, NULL)
US_PROPERTY("sasl.username", CREDENTIAL, NULL)

/* reading */
US_PROPERTY("auto.commit.enable", NEVER, POSITIONS)
US_PROPERTY("auto.commit.interval.ms", NEVER, POSITIONS)
US_PROPERTY("auto.offset.reset", NEVER, POSITIONS)
US_PROPERTY("check.crcs", FREE, NULL)
US_PROPERTY("consume.callback.max.messages", NEVER, CALLBACK)
US_PROPERTY("coordinator.query.interval.ms", FREE, NULL)
US_PROPERTY("enable.auto.commit", NEVER, POSITIONS)
US_PROPERTY("enable.auto.offset.store", NEVER, POSITIONS)
US_PROPERTY("enable.partition.eof", NEVER, OURS)
US_PROPERTY("fetch.error.backoff.ms", FREE, NULL)
US_PROPERTY("fetch.max.bytes", FREE, NULL)
US_PROPERTY("fetch.message.max.bytes", FREE, NULL)
US_PROPERTY("fetch.min.bytes", FREE, NULL)
US_PROPERTY("fetch.queue.backoff.ms", FREE, NULL)
US_PROPERTY("fetch.wait.max.ms", FREE, NULL)
US_PROPERTY("group.id", NEVER, POSITIONS)
US_PROPERTY("group.instance.id", NEVER, POSITIONS)
US_PROPERTY("group.protocol", NEVER, POSITIONS)
US_PROPERTY("group.protocol.type", NEVER, POSITIONS)
US_PROPERTY("group.remote.assignor", NEVER, POSITIONS)
US_PROPERTY("heartbeat.interval.ms", FREE, NULL)
US_PROPERTY("isolation.level", FREE, NULL)
US_PROPERTY("max.partition.fetch.bytes", NEVER, INSTEAD("fetch.message.max.bytes"))
US_PROPERTY("max.poll.interval.ms", FREE, NULL)
US_PROPERTY("max.poll.records", NEVER, SHARE)
US_PROPERTY("offset.store.method", NEVER, POSITIONS)
US_PROPERTY("offset.store.path", NEVER, POSITIONS)
US_PROPERTY("offset.store.sync.interval.ms", NEVER, POSITIONS)
US_PROPERTY("partition.assignment.strategy", NEVER, POSITIONS)
US_PROPERTY("queued.max.messages.kbytes", FREE, NULL)
US_PROPERTY("queued.min.messages", FREE, NULL)
US_PROPERTY("session.timeout.ms", FREE, NULL)
US_PROPERTY("share.acknowledgement.mode", NEVER, SHARE)

/* writing */
US_PROPERTY("acks", NEVER, GUARANTEE)
US_PROPERTY("batch.num.messages", FREE, NULL)
US_PROPERTY("batch.size", FREE, NULL)
US_PROPERTY("compression.codec", FREE, NULL)
US_PROPERTY("compression.level", FREE, NULL)
US_PROPERTY("compression.type", NEVER, INSTEAD("compression.codec"))
US_PROPERTY("delivery.report.only.error", NEVER, GUARANTEE)
US_PROPERTY("delivery.timeout.ms", NEVER, INSTEAD("message.timeout.ms"))
US_PROPERTY("enable.gapless.guarantee", NEVER, GUARANTEE)
US_PROPERTY("enable.idempotence", NEVER, GUARANTEE)
US_PROPERTY("linger.ms", NEVER, INSTEAD("queue.buffering.max.ms"))
US_PROPERTY("message.send.max.retries", FREE, NULL)
US_PROPERTY("message.timeout.ms", FREE, NULL)
US_PROPERTY("partitioner", FREE, NULL)
US_PROPERTY("produce.offset.report", FREE, NULL)
US_PROPERTY("queue.buffering.backpressure.threshold", FREE, NULL)
US_PROPERTY("queue.buffering.max.kbytes", FREE, NULL)
US_PROPERTY("queue.buffering.max.messages", FREE, NULL)
US_PROPERTY("queue.buffering.max.ms", FREE, NULL)
US_PROPERTY("queuing.strategy", NEVER, "Feeds keep the order of their records.")
US_PROPERTY("request.required.acks", NEVER, GUARANTEE)
US_PROPERTY("request.timeout.ms", FREE, NULL)
US_PROPERTY("retries", NEVER, INSTEAD("message.send.max.retries"))
US_PROPERTY("sticky.partitioning.linger.ms", FREE, NULL)
US_PROPERTY("transaction.timeout.ms", NEVER, GUARANTEE)
US_PROPERTY("transactional.id", NEVER, GUARANTEE)

/* code, callbacks and the library's insides */
US_PROPERTY("background_event_cb", NEVER, CALLBACK)
US_PROPERTY("client.software.name", NEVER, INTERNAL)
US_PROPERTY("client.software.version", NEVER, INTERNAL)
US_PROPERTY("closesocket_cb", NEVER, CALLBACK)
US_PROPERTY("connect_cb", NEVER, CALLBACK)
US_PROPERTY("consume_cb", NEVER, CALLBACK)
US_PROPERTY("default_topic_conf", NEVER, CALLBACK)
US_PROPERTY("dr_cb", NEVER, CALLBACK)
US_PROPERTY("dr_msg_cb", NEVER, CALLBACK)
US_PROPERTY("enable.sparse.connections", NEVER, INTERNAL)
US_PROPERTY("enable_sasl_queue", NEVER, CALLBACK)
US_PROPERTY("enabled_events", NEVER, OURS)
US_PROPERTY("error_cb", NEVER, CALLBACK)
US_PROPERTY("interceptors", NEVER, CODE)
US_PROPERTY("internal.termination.signal", NEVER, "The signals of the process belong to PostgreSQL.")
US_PROPERTY("log_cb", NEVER, CALLBACK)
US_PROPERTY("metadata.request.timeout.ms", NEVER, INTERNAL)
US_PROPERTY("msg_order_cmp", NEVER, CALLBACK)
US_PROPERTY("oauthbearer_token_refresh_cb", NEVER, CALLBACK)
US_PROPERTY("offset_commit_cb", NEVER, CALLBACK)
US_PROPERTY("opaque", NEVER, CALLBACK)
US_PROPERTY("open_cb", NEVER, CALLBACK)
US_PROPERTY("partitioner_cb", NEVER, CALLBACK)
US_PROPERTY("plugin.library.paths", NEVER, CODE)
US_PROPERTY("rebalance_cb", NEVER, CALLBACK)
US_PROPERTY("resolve_cb", NEVER, CALLBACK)
US_PROPERTY("socket_cb", NEVER, CALLBACK)
US_PROPERTY("stats_cb", NEVER, CALLBACK)
US_PROPERTY("test.mock.broker.rtt", NEVER, INTERNAL)
US_PROPERTY("test.mock.num.brokers", NEVER, INTERNAL)
US_PROPERTY("throttle_cb", NEVER, CALLBACK)
US_PROPERTY("ut_handle_ProduceResponse", NEVER, INTERNAL)

#undef OURS
#undef POSITIONS
#undef GUARANTEE
#undef CODE
#undef CALLBACK
#undef SHARE
#undef INTERNAL
#undef INSTEAD
#undef FILE_NAME
#undef URL
