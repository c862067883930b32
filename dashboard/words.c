/*-------------------------------------------------------------------------
 * dashboard/words.c
 *    the words of the pages in Spanish, and which language a reader wants
 *
 * A format has the same arguments in the same order in both.  What is missing
 * here shows in English; the program that the tests run says so and they fail.
 *-------------------------------------------------------------------------
 */
#include "dashboard/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Pair
{
	const char *english;
	const char *spanish;
} Pair;

/* by strcmp's order of the English */
static const Pair pairs[] = {
	{" Offset %s is absent (compacted, deleted, or a mark of a transaction); the next one is %s.", " El offset %s no está (compactado, borrado o marca de una transacción); el siguiente es %s."},
	{"# here", "# aquí"},
	{"%s by %s, %d points; the numbers are in the table below.", "%s por %s, %d puntos; los números están en la tabla de abajo."},
	{"%s must be %" PRId64 "..%" PRId64, "%s debe ser %" PRId64 "..%" PRId64},
	{"+ dead letters", "+ rechazos"},
	{"+ skipped", "+ omitidos"},
	{", the first %d of them here", ", los primeros %d aquí"},
	{"0 bytes", "0 bytes"},
	{"99 % written within", "99 % escritos en"},
	{"= applied", "= aplicados"},
	{"A line is added each minute while the stream runs; there is none yet.", "Se añade una línea por minuto mientras el stream trabaja; aún no hay ninguna."},
	{"About", "Sobre"},
	{"Age", "Edad"},
	{"Age against registration", "Edad según la fecha de registro"},
	{"Age against registration, by month", "Edad según el mes de registro"},
	{"Age and registration of some users, at most 1000", "Edad y registro de algunos usuarios, 1000 como máximo"},
	{"Age, female", "Edad, mujeres"},
	{"Age, male", "Edad, hombres"},
	{"Age, other or unknown", "Edad, otros o desconocido"},
	{"Applied since", "Aplicado el"},
	{"Arrivals, last 24 hours", "Llegadas, últimas 24 horas"},
	{"As a table", "En una tabla"},
	{"As of", "Datos de"},
	{"At most", "Como máximo"},
	{"Attempt", "Intento"},
	{"Attempts", "Intentos"},
	{"Average age", "Edad media"},
	{"Balanced", "Cuadra"},
	{"Bytes", "Bytes"},
	{"Came", "Llegó"},
	{"Column", "Columna"},
	{"Constraint", "Restricción"},
	{"Contains", "Contiene"},
	{"Copied", "Copiado"},
	{"Copy", "Copiar"},
	{"Counted", "Contado"},
	{"Countries", "Países"},
	{"Dead letter", "Rechazo"},
	{"Dead letters", "Rechazos"},
	{"Dead letters by hour, last 24 hours (counted to 2000)", "Rechazos por hora, últimas 24 horas (se cuenta hasta 2000)"},
	{"Dead letters, newest first", "Rechazos, los más nuevos primero"},
	{"Definition", "Definición"},
	{"Deletes", "Borrados"},
	{"Download", "Descargar"},
	{"Error", "Error"},
	{"Failing since", "Falla desde"},
	{"Feed", "Feed"},
	{"Feeds", "Feeds"},
	{"Female", "Mujeres"},
	{"Filter", "Filtrar"},
	{"First offset", "Primer offset"},
	{"From", "Desde"},
	{"From offset", "Desde el offset"},
	{"From time", "Desde la hora"},
	{"Gender ratio", "Proporción de género"},
	{"Go on", "Seguir"},
	{"HTTP status", "Estado HTTP"},
	{"Has header", "Tiene la cabecera"},
	{"Headers", "Cabeceras"},
	{"Hexadecimal", "Hexadecimal"},
	{"Hour from", "Hora desde"},
	{"How long the last 30 runs took", "Cuánto tardaron las últimas 30 ejecuciones"},
	{"Id", "Id"},
	{"In Cassandra", "En Cassandra"},
	{"In Kafka from", "En Kafka desde"},
	{"In flight", "En vuelo"},
	{"Incidents that are over", "Incidentes terminados"},
	{"Indented", "Sangrado"},
	{"It could not be read.", "No se pudo leer."},
	{"It never ran, or its runs are no longer kept.", "Nunca se ejecutó, o sus ejecuciones ya no se guardan."},
	{"It took longer than this page waits.", "Tardó más de lo que esta página espera."},
	{"Its dead letters", "Sus rechazos"},
	{"Kafka could not be asked.", "No se pudo preguntar a Kafka."},
	{"Key", "Clave"},
	{"Key is", "La clave es"},
	{"Kind", "Tipo"},
	{"Lag", "Retraso"},
	{"Lag, last 24 hours", "Retraso, últimas 24 horas"},
	{"Lag, messages", "Retraso, mensajes"},
	{"Lag, time", "Retraso, tiempo"},
	{"Largest lag, messages", "Mayor retraso, mensajes"},
	{"Last 24 hours, by five minutes", "Últimas 24 horas, de cinco en cinco minutos"},
	{"Last 24 hours, by reason (of the newest 1000)", "Últimas 24 horas, por motivo (de los 1000 más nuevos)"},
	{"Last 30 runs", "Últimas 30 ejecuciones"},
	{"Last 30 runs of each feed", "Últimas 30 ejecuciones de cada feed"},
	{"Last error", "Último error"},
	{"Last error at", "Último error el"},
	{"Last message", "Último mensaje"},
	{"Last offset", "Último offset"},
	{"Last run", "Última ejecución"},
	{"Last runs", "Últimas ejecuciones"},
	{"Last success", "Último éxito"},
	{"Ledger", "Libro de cuentas"},
	{"List from here", "Lista desde aquí"},
	{"Look", "Mirar"},
	{"Looked at %s messages, offsets %s to %s.", "Se miraron %s mensajes, offsets %s a %s."},
	{"Male", "Hombres"},
	{"Median age", "Edad mediana"},
	{"Median, female", "Mediana, mujeres"},
	{"Median, male", "Mediana, hombres"},
	{"Messages", "Mensajes"},
	{"Messages in Kafka", "Mensajes en Kafka"},
	{"Messages of", "Mensajes de"},
	{"Messages of its topic", "Mensajes de su topic"},
	{"Messages read", "Mensajes leídos"},
	{"Messages read a second", "Mensajes leídos por segundo"},
	{"Metrics", "Métricas"},
	{"Minute", "Minuto"},
	{"Mirror", "Espejo"},
	{"Mirrors", "Espejos"},
	{"Name has", "El nombre contiene"},
	{"Nationality", "Nacionalidad"},
	{"Next", "Siguiente"},
	{"Next offset", "Siguiente offset"},
	{"Next run", "Próxima ejecución"},
	{"No connection could be made; this page tries again at the next request.", "No se pudo conectar; esta página lo intenta de nuevo en la próxima petición."},
	{"No feed yet, or none that this page's role may see.", "Aún no hay feeds, o ninguno que el rol de esta página pueda ver."},
	{"No message has this offset: it is compacted, deleted, not there yet, or a mark of a transaction.", "Ningún mensaje tiene este offset: está compactado, borrado, aún no llegó o es marca de una transacción."},
	{"No message there.", "Ahí no hay ningún mensaje."},
	{"No mirror yet, or none that this page's role may see.", "Aún no hay espejos, o ninguno que el rol de esta página pueda ver."},
	{"No partition is known.", "No se conoce ninguna partición."},
	{"No run is kept.", "No se guarda ninguna ejecución."},
	{"No stream yet, or none that this page's filter or its role may see.", "Aún no hay streams, o ninguno que el filtro o el rol de esta página deje ver."},
	{"No user came yet.", "Aún no llegó ningún usuario."},
	{"Node", "Nodo"},
	{"None came in the last 24 hours.", "No llegó ninguno en las últimas 24 horas."},
	{"None that is kept.", "Ninguno que se guarde."},
	{"None.", "Ninguno."},
	{"None: nothing waits for a person.", "Ninguno: nada espera a una persona."},
	{"Not answered", "Sin respuesta"},
	{"Not found", "No encontrado"},
	{"Not run: the panels before it took all of this page's five seconds.", "No se consultó: los paneles anteriores gastaron los cinco segundos de esta página."},
	{"Nothing was counted yet.", "Aún no se contó nada."},
	{"Nothing was read yet.", "Aún no se leyó nada."},
	{"Of", "De"},
	{"Offset", "Offset"},
	{"Older ones", "Más antiguos"},
	{"Oldest tenth above", "El décimo mayor, más de"},
	{"Open incidents", "Incidentes abiertos"},
	{"Other or unknown", "Otros o desconocido"},
	{"Owner", "Dueño"},
	{"Pages", "Páginas"},
	{"Parked", "Apartadas"},
	{"Part", "Parte"},
	{"Partition", "Partición"},
	{"Partitions", "Particiones"},
	{"Pause", "Pausar"},
	{"Place", "Lugar"},
	{"Previous", "Anterior"},
	{"Rate, last 24 hours", "Ritmo, últimas 24 horas"},
	{"Read again from the first message", "Leer otra vez desde el primer mensaje"},
	{"Read by stream", "Lo lee el stream"},
	{"Reason", "Motivo"},
	{"Records", "Registros"},
	{"Registered", "Registrado"},
	{"Registered in", "Registrados en"},
	{"Retried since", "Recuperados después"},
	{"Retries", "Reintentos"},
	{"Rows", "Filas"},
	{"Rows mirrored", "Filas copiadas"},
	{"Rows that arrived, by minute, last hour", "Filas que llegaron, por minuto, última hora"},
	{"Rows that arrived, last hour", "Filas que llegaron, última hora"},
	{"Rows written", "Filas escritas"},
	{"Rows written a second", "Filas escritas por segundo"},
	{"Rows/s", "Filas/s"},
	{"Run", "Ejecución"},
	{"Run it now", "Ejecutarlo ahora"},
	{"Runs, 24 h", "Ejecuciones, 24 h"},
	{"SQLSTATE", "SQLSTATE"},
	{"Schedule", "Horario"},
	{"Since", "Desde"},
	{"Since then", "Desde entonces"},
	{"Size", "Tamaño"},
	{"Skip to the content", "Ir al contenido"},
	{"Skipped", "Omitidos"},
	{"Some users: age and registration", "Algunos usuarios: edad y registro"},
	{"Someone holds a lock on what it reads.", "Alguien tiene un bloqueo sobre lo que lee."},
	{"Started", "Comenzó"},
	{"State", "Estado"},
	{"Stream", "Stream"},
	{"Streams", "Streams"},
	{"Table", "Tabla"},
	{"Target", "Destino"},
	{"The connection to the database was lost.", "Se perdió la conexión con la base de datos."},
	{"The database is away.", "La base de datos no está disponible."},
	{"The userstream of this database has no mirrors: its version is older than they are.", "El userstream de esta base de datos no tiene espejos: su versión es anterior a ellos."},
	{"There are more than these %d.", "Hay más que estos %d."},
	{"There is no dead letter", "No hay ningún rechazo"},
	{"There is no feed", "No hay ningún feed"},
	{"There is no run", "No hay ninguna ejecución"},
	{"There is no stream", "No hay ningún stream"},
	{"There is none: every message became its rows, or this role may not see others' dead letters.", "No hay ninguno: cada mensaje se hizo filas, o este rol no puede ver los rechazos de otros."},
	{"This database has no userstream yet:", "Esta base de datos aún no tiene userstream:"},
	{"This page as JSON", "Esta página en JSON"},
	{"This page reads views of a schema dashboard (users_totals and so on), which this database does not have.", "Esta página lee vistas de un esquema dashboard (users_totals y demás), que esta base de datos no tiene."},
	{"This role may not read it. Who may can grant it, on purpose:", "Este rol no puede leerlo. Quien puede lo concede, a propósito:"},
	{"This version of userstream does not have it.", "Esta versión de userstream no lo tiene."},
	{"This version of userstream does not show definitions.", "Esta versión de userstream no muestra definiciones."},
	{"Time", "Hora"},
	{"Time of the message", "Hora del mensaje"},
	{"Times are UTC.", "Las horas son UTC."},
	{"Took", "Tardó"},
	{"Topic", "Topic"},
	{"Totals", "Totales"},
	{"Try dead letters again", "Intentar otra vez los rechazos"},
	{"Try it again", "Intentarlo otra vez"},
	{"Users", "Usuarios"},
	{"Users by age and gender", "Usuarios por edad y género"},
	{"Users by age, in years", "Usuarios por edad, en años"},
	{"Users by nationality and gender", "Usuarios por nacionalidad y género"},
	{"Users by nationality and gender, the first 15", "Usuarios por nacionalidad y género, las primeras 15"},
	{"Value", "Valor"},
	{"Value, first 1024 bytes", "Valor, primeros 1024 bytes"},
	{"WAL kept back", "WAL retenido"},
	{"What happened", "Qué pasó"},
	{"What it holds", "Lo que contiene"},
	{"What limits it", "Lo que lo limita"},
	{"What one can do", "Qué se puede hacer"},
	{"What to do:", "Qué hacer:"},
	{"Which rows it would give now, as the stream's owner", "Qué filas daría ahora, como dueño del stream"},
	{"Which rows it would give, as the stream's owner", "Qué filas daría, como dueño del stream"},
	{"Worker", "Worker"},
	{"Youngest tenth below", "El décimo menor, menos de"},
	{"a %% is not followed by two hexadecimal digits", "tras un %% no hay dos dígitos hexadecimales"},
	{"a parameter has no name", "un parámetro no tiene nombre"},
	{"a parameter is no UTF-8 text, or has controls in it", "un parámetro no es texto UTF-8, o lleva caracteres de control"},
	{"a parameter stands there twice", "un parámetro está dos veces"},
	{"age, years", "edad, años"},
	{"all", "todas"},
	{"any", "cualquiera"},
	{"at", "el"},
	{"blocked", "bloqueado"},
	{"bytes", "bytes"},
	{"cancelled", "cancelado"},
	{"caught_up", "al día"},
	{"columns", "columnas"},
	{"copying", "copiando"},
	{"created", "creado"},
	{"dead letters", "rechazos"},
	{"download must be key or value", "download debe ser key o value"},
	{"failed", "fallido"},
	{"failing since", "falla desde"},
	{"female", "mujeres"},
	{"format", "formato"},
	{"format must be html, json or csv", "format debe ser html, json o csv"},
	{"from must be a time such as 2026-01-31T00:00:00Z", "from debe ser una hora como 2026-01-31T00:00:00Z"},
	{"headers", "cabeceras"},
	{"hour, UTC", "hora, UTC"},
	{"in Kafka", "en Kafka"},
	{"invalid Host", "Host no válido"},
	{"key", "clave"},
	{"lag", "retraso"},
	{"lag, messages", "retraso, mensajes"},
	{"lang must be en or es", "lang debe ser en o es"},
	{"male", "hombres"},
	{"median, female", "mediana, mujeres"},
	{"median, male", "mediana, hombres"},
	{"men per 100 women", "hombres por cada 100 mujeres"},
	{"messages read", "mensajes leídos"},
	{"minute, UTC", "minuto, UTC"},
	{"mode", "modo"},
	{"month of registration", "mes de registro"},
	{"more than %d parameters", "más de %d parámetros"},
	{"nationalities", "nacionalidades"},
	{"nationality", "nacionalidad"},
	{"never", "nunca"},
	{"never ran", "nunca se ejecutó"},
	{"no", "no"},
	{"no answer", "sin respuesta"},
	{"no key", "sin clave"},
	{"none", "ninguno"},
	{"none yet", "aún ninguno"},
	{"not applied since", "sin aplicar aún"},
	{"not renewed: no answer at #", "sin renovar: sin respuesta a las #"},
	{"nothing is changed here: only GET and HEAD", "aquí no se cambia nada: solo GET y HEAD"},
	{"nothing stands out", "nada destaca"},
	{"null: a tombstone", "nulo: una lápida"},
	{"of the largest", "del mayor"},
	{"of whom %s without a date of birth", "de ellos %s sin fecha de nacimiento"},
	{"offset and from exclude each other", "offset y from se excluyen"},
	{"oldest tenth above", "el décimo mayor, más de"},
	{"on_error", "ante un error"},
	{"only GET and HEAD", "solo GET y HEAD"},
	{"options", "opciones"},
	{"other", "otros"},
	{"owner", "dueño"},
	{"partition %" PRId64 " of 0..%s", "partición %" PRId64 " de 0..%s"},
	{"paused", "en pausa"},
	{"per second", "por segundo"},
	{"registration", "registro"},
	{"renewed at #", "renovado a las #"},
	{"renewed each # s", "se renueva cada # s"},
	{"rows", "filas"},
	{"rows written", "filas escritas"},
	{"run", "ejecución"},
	{"running", "en marcha"},
	{"runs", "en marcha"},
	{"seconds", "segundos"},
	{"server", "servidor"},
	{"skipped", "omitido"},
	{"start_at", "comienza en"},
	{"starting", "arrancando"},
	{"stopped", "parado"},
	{"succeeded", "logrado"},
	{"target", "destino"},
	{"that this role may see.", "que este rol pueda ver."},
	{"the answer became too large", "la respuesta se hizo demasiado grande"},
	{"the database is away", "la base de datos no está disponible"},
	{"the message cannot be read now", "ahora no se puede leer el mensaje"},
	{"the path is no UTF-8 text", "la ruta no es texto UTF-8"},
	{"the path is too long", "la ruta es demasiado larga"},
	{"the query is too long", "la consulta es demasiado larga"},
	{"there is no such page", "no existe esa página"},
	{"there is no such part of a message", "no existe esa parte de un mensaje"},
	{"this Host is not served here", "aquí no se atiende ese Host"},
	{"this address has no other format", "esta dirección no tiene otro formato"},
	{"this page has no such parameter", "esta página no tiene ese parámetro"},
	{"this page has no such table", "esta página no tiene esa tabla"},
	{"time zone", "zona horaria"},
	{"time, UTC", "hora, UTC"},
	{"to", "hasta"},
	{"topic", "topic"},
	{"transform", "transformación"},
	{"unknown", "desconocido"},
	{"users", "usuarios"},
	{"value", "valor"},
	{"version", "versión"},
	{"waiting", "esperando"},
	{"without a date of birth", "sin fecha de nacimiento"},
	{"workers", "workers"},
	{"years", "años"},
	{"yes", "sí"},
	{"youngest tenth below", "el décimo menor, menos de"},
	{"–", "–"},
};

#define NPAIRS ((int) (sizeof(pairs) / sizeof(pairs[0])))

static const struct
{
	const char *code;
	const char *name;
}			languages[US_LANGUAGES] = {{"en", "English"}, {"es", "Español"}};

static UsLanguage chosen = US_LANGUAGE_ENGLISH;

const char *
us_language_code(UsLanguage language)
{
	return languages[language].code;
}

const char *
us_language_name(UsLanguage language)
{
	return languages[language].name;
}

bool
us_language_find(const char *code, UsLanguage *language)
{
	for (int i = 0; i < US_LANGUAGES; i++)
	{
		if (strcmp(code, languages[i].code) != 0)
			continue;
		*language = (UsLanguage) i;
		return true;
	}
	return false;
}

/* the weight behind a language, 1 when none stands there */
static double
weight(const char *at, size_t len)
{
	const char *q = memchr(at, ';', len);

	if (q == NULL)
		return 1;
	q += 1 + strspn(q + 1, " \t");
	return strncasecmp(q, "q=", 2) == 0 ? strtod(q + 2, NULL) : 1;
}

UsLanguage
us_language_accepted(const char *header)
{
	UsLanguage	best = US_LANGUAGE_ENGLISH;
	double		most = 0;

	for (const char *at = header; *at;)
	{
		size_t		len;

		at += strspn(at, ", \t");
		len = strcspn(at, ",");
		for (int i = 0; i < US_LANGUAGES; i++)
		{
			/* a country behind the code is any */
			if (strncasecmp(at, languages[i].code, 2) != 0 || (at[2] && !strchr("-,; \t", at[2])) ||
				weight(at, len) <= most)
				continue;
			best = (UsLanguage) i;
			most = weight(at, len);
		}
		at += len;
	}
	return best;
}

void
us_language_choose(UsLanguage language)
{
	chosen = language;
}

UsLanguage
us_language_chosen(void)
{
	return chosen;
}

static int
compare(const void *key, const void *pair)
{
	return strcmp(key, ((const Pair *) pair)->english);
}

static const Pair *
find(const char *english)
{
	return bsearch(english, pairs, NPAIRS, sizeof(Pair), compare);
}

const char *
us_word(const char *word)
{
	const Pair *pair = chosen == US_LANGUAGE_SPANISH ? find(word) : NULL;

	return pair ? pair->spanish : word;
}

const char *
us_text(const char *english)
{
#ifdef US_WORDS_STRICT
	if (english[0] && find(english) == NULL)
		fprintf(stderr, "words.c does not have: %s\n", english);
#endif
	return us_word(english);
}

const char *
us_words_pair(int i, const char **spanish)
{
	if (i >= NPAIRS)
		return NULL;
	*spanish = pairs[i].spanish;
	return pairs[i].english;
}
