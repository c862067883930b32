/*-------------------------------------------------------------------------
 * test/servers/users.c
 *    writes users of the demo's shape, the same ones for the same seed
 *
 * usage: users [-n COUNT] [-s SEED] [-f FIRST] [-v | -r]
 *
 * One user a line: id, a tab, and the message as JSON on one line, which is
 * what  kcat -P -K '\t'  takes; with -v the JSON alone; with -r the same user
 * as the API gives him (randomuser.me's form), before he became a message.
 * User number i depends on the seed and i only, so two calls with FIRST 0 and
 * 5000 give what one call gives, and any part of a topic can be made again for
 * a comparison.
 *
 * The users are meant to be as awkward as real ones: names in several
 * scripts, written as UTF-8 or as \u escapes, quotes and backslashes,
 * postcodes that are numbers in one country and text in another.  Common
 * names only, example.org addresses, no password in any form.
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES 8					/* of each kind in a nation */

typedef struct Nation
{
	const char *code;			/* as in "nationality" */
	const char *country;
	const char *female[NAMES];
	const char *male[NAMES];
	const char *last[NAMES];
	const char *city[4];
	const char *state[4];
	const char *street[4];
	const char *postcode;		/* # = digit, A = letter; all # = a JSON number */
	const char *phone;			/* # = digit */
	const char *offset;			/* of the time zone */
	const char *zone;
} Nation;

static const Nation nations[] = {
	{"AU", "Australia",
		{"Olivia", "Amelia", "Isla", "Mia", "Ava", "Grace", "Willow", "Harper"},
		{"Noah", "Oliver", "Jack", "Henry", "William", "Leo", "Lucas", "Hudson"},
		{"Smith", "Jones", "Williams", "Brown", "Wilson", "Taylor", "O'Brien", "Nguyen"},
		{"Perth", "Hobart", "Cairns", "Geelong"},
		{"Western Australia", "Tasmania", "Queensland", "Victoria"},
		{"Station Street", "Church Road", "Pecan Acres Ln", "\"The Rocks\" Lane"},
	"####", "0#-####-####", "+8:00", "Perth"},
	{"BR", "Brazil",
		{"Maria", "Ana", "Júlia", "Letícia", "Beatriz", "Conceição", "Lívia", "Inês"},
		{"João", "José", "Antônio", "Luís", "Caetano", "Cauã", "Davi", "Tomás"},
		{"Silva", "Santos", "Oliveira", "Souza", "Araújo", "Gonçalves", "Conceição", "Simões"},
		{"São Paulo", "Belém", "Goiânia", "Florianópolis"},
		{"São Paulo", "Pará", "Goiás", "Santa Catarina"},
		{"Rua São José", "Avenida Brasil", "Travessa dos Açores", "Praça da Sé"},
	"#####", "(##) ####-####", "-3:00", "Brazil, Buenos Aires, Georgetown"},
	{"CA", "Canada",
		{"Charlotte", "Zoé", "Florence", "Alice", "Emma", "Béatrice", "Chloé", "Sofia"},
		{"Liam", "Édouard", "Nathan", "Logan", "Félix", "Thomas", "Benjamin", "Raphaël"},
		{"Tremblay", "Gagnon", "Roy", "Côté", "Bouchard", "Singh", "Martin", "MacDonald"},
		{"Montréal", "Trois-Rivières", "Halifax", "Regina"},
		{"Québec", "Québec", "Nova Scotia", "Saskatchewan"},
		{"Rue Sainte-Catherine", "Maple Ave", "Dalhousie St", "Chemin \\ Rang 4"},
	"A#A #A#", "###-###-####", "-4:00", "Atlantic Time (Canada), Caracas, La Paz"},
	{"DE", "Germany",
		{"Hannah", "Jürgen-Marie", "Sophie", "Käthe", "Lina", "Mathilda", "Zoë", "Frieda"},
		{"Jürgen", "Götz", "Björn", "Lukas", "Felix", "Sören", "Paul", "Matthäus"},
		{"Müller", "Schmidt", "Schröder", "Weiß", "Köhler", "Groß", "Becker", "Jäger"},
		{"Köln", "Lübeck", "Görlitz", "Gießen"},
		{"Nordrhein-Westfalen", "Schleswig-Holstein", "Sachsen", "Hessen"},
		{"Schloßstraße", "Gartenweg", "Mühlenweg", "Königsallee"},
	"#####", "0###-#######", "+1:00", "Brussels, Copenhagen, Madrid, Paris"},
	{"DK", "Denmark",
		{"Freja", "Åse", "Sørine", "Ida", "Clara", "Alma", "Maja", "Signe"},
		{"Søren", "Jørgen", "Åge", "Oscar", "Malthe", "Rasmus", "Bjørn", "Viggo"},
		{"Nielsen", "Jensen", "Sørensen", "Møller", "Østergaard", "Holm", "Kjær", "Bæk"},
		{"Århus", "Rødovre", "Nykøbing", "Odense"},
		{"Midtjylland", "Hovedstaden", "Sjælland", "Syddanmark"},
		{"Skovvej", "Østergade", "Åboulevarden", "Kirkevænget"},
	"####", "########", "+1:00", "Brussels, Copenhagen, Madrid, Paris"},
	{"ES", "Spain",
		{"Lucía", "Sofía", "Martina", "Inés", "Begoña", "Nuria", "Ángela", "Carmen"},
		{"Íñigo", "José", "Álvaro", "Hugo", "Óscar", "Rubén", "Martín", "Adrián"},
		{"García", "Fernández", "Muñoz", "Ibáñez", "Núñez", "López", "Peña", "Ruiz"},
		{"Málaga", "Cádiz", "A Coruña", "Logroño"},
		{"Andalucía", "Andalucía", "Galicia", "La Rioja"},
		{"Calle de Alcalá", "Paseo de la Castellana", "Calle Peñón", "Avenida de América"},
	"#####", "9##-###-###", "+1:00", "Brussels, Copenhagen, Madrid, Paris"},
	{"FR", "France",
		{"Léa", "Chloé", "Manon", "Inès", "Noëlle", "Anaïs", "Jade", "Éléonore"},
		{"Théo", "Loïc", "Gaël", "Maël", "Hugo", "Jérôme", "François", "Léon"},
		{"Lefèvre", "Dupont", "Besançon", "Noël", "Durand", "Crépin", "Moreau", "Géraud"},
		{"Besançon", "Orléans", "Nîmes", "Saint-Étienne"},
		{"Doubs", "Loiret", "Gard", "Loire"},
		{"Rue de l'Église", "Quai Ch.-de-Gaulle", "Rue Bossuet", "Place de la République"},
	"#####", "0#-##-##-##-##", "+1:00", "Brussels, Copenhagen, Madrid, Paris"},
	{"GB", "United Kingdom",
		{"Isla", "Poppy", "Siân", "Freya", "Evie", "Niamh", "Zoë", "Ruby"},
		{"Oliver", "George", "Alfie", "Rhys", "Harry", "Archie", "Callum", "Theo"},
		{"Evans", "Thomas", "Fraser", "O'Connor", "Patel", "Clarke", "Hughes", "Murray"},
		{"Leeds", "Cardiff", "Inverness", "Newry"},
		{"West Yorkshire", "South Glamorgan", "Highlands", "County Down"},
		{"High Street", "The \"Old\" Mill", "Queensway", "Mill Lane"},
	"AA## #AA", "0#### ######", "0:00", "Western Europe Time, London, Lisbon, Casablanca"},
	{"IE", "Ireland",
		{"Aoife", "Caoimhe", "Róisín", "Saoirse", "Sinéad", "Fiadh", "Órla", "Éabha"},
		{"Seán", "Cillian", "Tadhg", "Pádraig", "Conor", "Oisín", "Rían", "Daithí"},
		{"Murphy", "Ó Briain", "Byrne", "Ryan", "O'Sullivan", "Walsh", "Doyle", "Ní Dhónaill"},
		{"Galway", "Dún Laoghaire", "Sligo", "Tralee"},
		{"Galway", "Dún Laoghaire–Rathdown", "Sligo", "Kerry"},
		{"Patrick Street", "Mill Road", "The Crescent", "Church Lane"},
	"#####", "0##-###-####", "0:00", "Western Europe Time, London, Lisbon, Casablanca"},
	{"IN", "India",
		{"अनिका", "दिव्या", "Priya", "Ananya", "काव्या", "Meera", "Aditi", "Sneha"},
		{"आरव", "विवान", "Arjun", "Rohan", "Ishaan", "कृष्ण", "Vihaan", "Dev"},
		{"शर्मा", "Patel", "Iyer", "गुप्ता", "Nair", "Kumar", "Rao", "Das"},
		{"मुंबई", "Chennai", "Jaipur", "कोलकाता"},
		{"Maharashtra", "Tamil Nadu", "Rajasthan", "West Bengal"},
		{"MG Road", "Linking Rd", "Tilak Marg", "Park Street"},
	"######", "##########", "+5:30", "Bombay, Calcutta, Madras, New Delhi"},
	{"IR", "Iran",
		{"زهرا", "مریم", "النا", "یسنا", "پریا", "ترانه", "هستی", "سارا"},
		{"محمد", "علی", "آرین", "پارسا", "کیان", "رضا", "مهدی", "سام"},
		{"رضایی", "محمدی", "حسینی", "کریمی", "نجاتی", "موسوی", "احمدی", "یاسمی"},
		{"تهران", "شیراز", "اصفهان", "تبریز"},
		{"تهران", "فارس", "اصفهان", "آذربایجان شرقی"},
		{"شهید بهشتی", "میدان آزادی", "پارک دانشجو", "ولیعصر"},
	"#####", "0##-########", "+3:30", "Tehran"},
	{"MX", "Mexico",
		{"Ximena", "Lucía", "Valentina", "Renata", "Itzel", "Camila", "Andrea", "Zoé"},
		{"Ángel", "Emiliano", "Jesús", "Mateo", "Iñaki", "Diego", "León", "Raúl"},
		{"Hernández", "Ramírez", "Ordóñez", "Zúñiga", "Cruz", "Vázquez", "Chávez", "Peña"},
		{"Mérida", "León", "Querétaro", "Cancún"},
		{"Yucatán", "Guanajuato", "Querétaro", "Quintana Roo"},
		{"Calzada Ñuñoa", "Avenida Juárez", "Privada Colón", "Andador Hidalgo"},
	"#####", "(###) ### ####", "-6:00", "Central Time (US & Canada), Mexico City"},
	{"NL", "Netherlands",
		{"Sanne", "Fleur", "Noor", "Saartje", "Loïs", "Anouk", "Mirthe", "Renée"},
		{"Daan", "Sem", "Joris", "Thijs", "Gijs", "Boaz", "Cas", "André"},
		{"de Jong", "van den Berg", "Bakker", "van 't Hof", "Visser", "Mulder", "IJsbrandy", "Smit"},
		{"'s-Hertogenbosch", "Sneek", "Delft", "Zwolle"},
		{"Noord-Brabant", "Fryslân", "Zuid-Holland", "Overijssel"},
		{"Dorpsstraat", "Kerklaan", "Prins Hendrikkade", "Oude Gracht"},
	"#### AA", "(0##) ######", "+1:00", "Brussels, Copenhagen, Madrid, Paris"},
	{"RS", "Serbia",
		{"Милица", "Јелена", "Јована", "Ана", "Софија", "Љубица", "Теодора", "Нађа"},
		{"Лука", "Никола", "Стефан", "Ђорђе", "Вук", "Милош", "Жарко", "Огњен"},
		{"Јовановић", "Петровић", "Николић", "Ђокић", "Илић", "Чолић", "Живковић", "Џавић"},
		{"Ниш", "Нови Сад", "Чачак", "Шабац"},
		{"Нишавски", "Јужнобачки", "Моравички", "Мачвански"},
		{"Краља Петра", "Цара Душана", "Његошева", "Кнез Михаилова"},
	"#####", "0##-####-###", "+1:00", "Belgrade, Zagreb, Warsaw"},
	{"TR", "Turkey",
		{"Ayşe", "Zeynep", "Elif", "Gülşen", "Çiğdem", "Defne", "Işıl", "Büşra"},
		{"Mehmet", "Ömer", "Yiğit", "Çağan", "Kağan", "İsmail", "Barış", "Oğuz"},
		{"Yılmaz", "Demir", "Şahin", "Çelik", "Öztürk", "Yıldırım", "Doğan", "Koç"},
		{"İzmir", "Eskişehir", "Muğla", "Şanlıurfa"},
		{"İzmir", "Eskişehir", "Muğla", "Şanlıurfa"},
		{"Atatürk Sk", "İstiklal Cd", "Bağdat Cd", "Şehitler Cd"},
	"#####", "(###)-###-####", "+3:00", "Istanbul"},
	{"UA", "Ukraine",
		{"Олена", "Соломія", "Зоряна", "Іванна", "Ганна", "Юлія", "Дарина", "Меланія"},
		{"Тарас", "Андрій", "Ігор", "Євген", "Остап", "Юрій", "Богдан", "Захар"},
		{"Шевченко", "Бондаренко", "Ковальчук", "Їжакевич", "Мельник", "Кравець", "Гончар", "Лисенко"},
		{"Львів", "Чернігів", "Рівне", "Кам'янське"},
		{"Львівська", "Чернігівська", "Рівненська", "Дніпропетровська"},
		{"Хрещатик", "Вулиця Франка", "Прорізна", "Проспект Миру"},
	"#####", "(0##) A##-####", "+2:00", "Kyiv"},
	{"US", "United States",
		{"Emma", "Sophia", "Aaliyah", "Madison", "Ella", "Naomi", "Penelope", "Renée"},
		{"Liam", "Mason", "Ethan", "Jayden", "Elijah", "Mateo", "Wyatt", "José"},
		{"Johnson", "Garcia", "Davis", "Rodriguez", "Lee", "Walker", "D'Angelo", "Young"},
		{"Boise", "Tulsa", "El Paso", "Cañon City"},
		{"Idaho", "Oklahoma", "Texas", "Colorado"},
		{"Elgin St", "W Campbell Ave", "Route 66 \"Historic\"", "Paddock Way"},
	"#####", "(###) ###-####", "-7:00", "Mountain Time (US & Canada)"},
};

static const char *const adjectives[] = {
	"angry", "beautiful", "big", "black", "blue", "brown", "crazy", "golden",
	"green", "happy", "heavy", "lazy", "orange", "organic", "purple", "red",
	"sad", "silver", "small", "smart", "tiny", "white", "whiteish", "yellow"
};

static const char *const animals[] = {
	"bear", "bird", "butterfly", "cat", "dog", "duck", "elephant", "fish",
	"frog", "gorilla", "koala", "ladybug", "leopard", "lion", "meercat",
	"mouse", "ostrich", "panda", "peacock", "rabbit", "snake", "swan", "tiger",
	"wolf", "zebra"
};

static uint64_t random_state;

/* splitmix64 (public domain, Vigna 2015): any start value gives good numbers */
static uint64_t
random_next(void)
{
	uint64_t	z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned
random_below(unsigned limit)
{
	return (unsigned) ((random_next() >> 32) * limit >> 32);
}

/* a UTF-8 character that is known to be right; moves past it */
static uint32_t
next_character(const char **text)
{
	const unsigned char *s = (const unsigned char *) *text;
	int			length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t	c = length == 1 ? s[0] : s[0] & (0x7f >> length);

	for (int i = 1; i < length; i++)
		c = c << 6 | (s[i] & 0x3f);
	*text += length;
	return c;
}

/* a JSON string's inside; "escaped" writes what is not ASCII as \u */
static char *
put_text(char *out, const char *text, bool escaped)
{
	while (*text)
	{
		if (*text == '"' || *text == '\\')
		{
			*out++ = '\\';
			*out++ = *text++;
		}
		else if ((unsigned char) *text < 0x80 || !escaped)
			*out++ = *text++;
		else
		{
			uint32_t	c = next_character(&text);

			if (c >= 0x10000)
			{
				out += sprintf(out, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
				c = 0xdc00 + ((c - 0x10000) & 0x3ff);
			}
			out += sprintf(out, "\\u%04x", c);
		}
	}
	return out;
}

static char *
put_pattern(char *out, const char *pattern)
{
	for (; *pattern; pattern++)
	{
		if (*pattern == '#')
			*out++ = '0' + random_below(10);
		else if (*pattern == 'A')
			*out++ = 'A' + random_below(26);
		else
			*out++ = *pattern;
	}
	return out;
}

/* a number in JSON has no leading zero, so the first digit is not one */
static char *
put_postcode(char *out, const char *pattern)
{
	bool		is_number = strspn(pattern, "#") == strlen(pattern);
	char	   *start = out;

	if (!is_number)
		*out++ = '"';
	out = put_pattern(out, pattern);
	if (!is_number)
		*out++ = '"';
	else if (*start == '0')
		*start = '1' + random_below(9);
	return out;
}

/* id: 36 characters and the zero */
static void
make_uuid(char *id)
{
	uint64_t	high = (random_next() & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
	uint64_t	low = (random_next() & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;

	sprintf(id, "%08x-%04x-%04x-%04x-%012llx",
			(unsigned) (high >> 32), (unsigned) (high >> 16 & 0xffff),
			(unsigned) (high & 0xffff), (unsigned) (low >> 48),
			(unsigned long long) (low & UINT64_C(0xffffffffffff)));
}

static char *
put_field(char *out, const char *name, const char *text, bool escaped)
{
	out += sprintf(out, ", \"%s\": \"", name);
	out = put_text(out, text, escaped);
	*out++ = '"';
	return out;
}

/* user number i, drawn in one order whatever form he is written in */
typedef struct User
{
	const Nation *nation;
	bool		female;
	bool		escaped;		/* non-ASCII as \u */
	char		id[40];
	const char *first;
	const char *last;
	unsigned	house;
	const char *street;
	unsigned	place;
	char		postcode[32];	/* as JSON */
	char		latitude[16];
	char		longitude[16];
	char		username[100];
	char		email[160];
	char		birth[16];		/* YYYY-MM-DD */
	char		registered[16];
	unsigned	birth_year;
	unsigned	registered_year;
	char		phone[32];
	unsigned	portrait;
} User;

static void
make_coordinate(char *out, unsigned limit)
{
	unsigned	value = random_below(2 * limit * 10000);
	bool		negative = value < limit * 10000;

	value %= limit * 10000;
	sprintf(out, "%s%u.%04u", negative ? "-" : "", value / 10000, value % 10000);
}

static void
make_date(char *out, unsigned year)
{
	unsigned	month = 1 + random_below(12);

	sprintf(out, "%u-%02u-%02u", year, month, 1 + random_below(28));
}

static void
make_user(User *user, uint64_t seed, uint64_t i)
{
	const Nation *nation;
	const char *adjective;
	const char *animal;
	unsigned	adult_year;

	random_state = seed * UINT64_C(0xd1342543de82ef95) + i;
	random_state = random_next();
	nation = user->nation = &nations[random_below(COUNT(nations))];
	user->female = random_below(2) == 0;
	user->escaped = random_below(3) == 0;
	make_uuid(user->id);
	user->first = (user->female ? nation->female : nation->male)[random_below(NAMES)];
	user->last = nation->last[random_below(NAMES)];

	user->place = random_below(COUNT(nation->city));
	make_coordinate(user->latitude, 90);
	make_coordinate(user->longitude, 180);
	user->house = 1 + random_below(9999);
	user->street = nation->street[random_below(4)];
	*put_postcode(user->postcode, nation->postcode) = '\0';

	adjective = adjectives[random_below(COUNT(adjectives))];
	animal = animals[random_below(COUNT(animals))];
	sprintf(user->username, "%s%s%u", adjective, animal, 100 + random_below(900));
	sprintf(user->email, "%s.%llu@example.org", user->username, (unsigned long long) i);
	user->birth_year = 1944 + random_below(63);
	make_date(user->birth, user->birth_year);
	/* nobody registered before 2002 */
	adult_year = (user->birth_year < 1986 ? 1986 : user->birth_year) + 16;
	user->registered_year = adult_year + random_below(2025 - adult_year);
	make_date(user->registered, user->registered_year);
	*put_pattern(user->phone, nation->phone) = '\0';
	user->portrait = random_below(100);
}

/* what the message's address and the API's location have in common */
static char *
put_place(char *out, const User *user)
{
	const Nation *nation = user->nation;

	out = put_field(out, "city", nation->city[user->place], user->escaped);
	out = put_field(out, "state", nation->state[user->place], user->escaped);
	out = put_field(out, "country", nation->country, user->escaped);
	out += sprintf(out, ", \"postcode\": %s, \"coordinates\": "
				   "{\"latitude\": \"%s\", \"longitude\": \"%s\"}"
				   ", \"timezone\": {\"offset\": \"%s\"",
				   user->postcode, user->latitude, user->longitude, nation->offset);
	out = put_field(out, "description", nation->zone, user->escaped);
	return out + sprintf(out, "}}");
}

/* some writers of JSON escape the slash */
static char *
put_picture(char *out, const User *user, const char *name, const char *size)
{
	return out + sprintf(out, user->escaped
						 ? "\"%s\": \"https:\\/\\/example.org\\/portraits\\/%s%s\\/%u.jpg\""
						 : "\"%s\": \"https://example.org/portraits/%s%s/%u.jpg\"",
						 name, size, user->female ? "women" : "men", user->portrait);
}

/* the message; returns the end */
static char *
put_message(char *out, const User *user, bool with_key)
{
	char		street[200];

	if (with_key)
		out += sprintf(out, "%s\t", user->id);
	out += sprintf(out, "{\"id\": \"%s\"", user->id);
	out = put_field(out, "first_name", user->first, user->escaped);
	out = put_field(out, "last_name", user->last, user->escaped);
	out = put_field(out, "gender", user->female ? "female" : "male", false);
	sprintf(street, "%u %s", user->house, user->street);
	out += sprintf(out, ", \"address\": {\"street\": \"");
	out = put_text(out, street, user->escaped);
	*out++ = '"';
	out = put_place(out, user);
	out = put_field(out, "email", user->email, false);
	out = put_field(out, "username", user->username, false);
	out = put_field(out, "dob", user->birth, false);
	out = put_field(out, "registered_date", user->registered, false);
	out = put_field(out, "phone", user->phone, false);
	out += sprintf(out, ", ");
	out = put_picture(out, user, "picture", "");
	out = put_field(out, "nationality", user->nation->code, false);
	return out + sprintf(out, "}\n");
}

/* what the API says of him */
static char *
put_raw(char *out, const User *user)
{
	out += sprintf(out, "{\"gender\": \"%s\", \"name\": {\"title\": \"%s\"",
				   user->female ? "female" : "male", user->female ? "Ms" : "Mr");
	out = put_field(out, "first", user->first, user->escaped);
	out = put_field(out, "last", user->last, user->escaped);
	out += sprintf(out, "}, \"location\": {\"street\": {\"number\": %u", user->house);
	out = put_field(out, "name", user->street, user->escaped);
	out += sprintf(out, "}");
	out = put_place(out, user);
	out = put_field(out, "email", user->email, false);
	out += sprintf(out, ", \"login\": {\"uuid\": \"%s\", \"username\": \"%s\"}",
				   user->id, user->username);
	out += sprintf(out, ", \"dob\": {\"date\": \"%sT08:15:30.123Z\", \"age\": %u}",
				   user->birth, 2025 - user->birth_year);
	out += sprintf(out, ", \"registered\": {\"date\": \"%sT21:45:00.456Z\", \"age\": %u}",
				   user->registered, 2025 - user->registered_year);
	out = put_field(out, "phone", user->phone, false);
	out += sprintf(out, ", \"picture\": {");
	out = put_picture(out, user, "large", "");
	out += sprintf(out, ", ");
	out = put_picture(out, user, "thumbnail", "thumb/");
	return out + sprintf(out, "}, \"nat\": \"%s\"}\n", user->nation->code);
}

int
main(int argc, char **argv)
{
	uint64_t	count = 10000;
	uint64_t	seed = 1;
	uint64_t	first = 0;
	bool		with_key = true;
	bool		raw = false;
	char		line[4096];		/* the longest is under 2 kB */
	int			option;

	while ((option = getopt(argc, argv, "n:s:f:vr")) != -1)
	{
		switch (option)
		{
			case 'n':
				count = strtoull(optarg, NULL, 10);
				break;
			case 's':
				seed = strtoull(optarg, NULL, 10);
				break;
			case 'f':
				first = strtoull(optarg, NULL, 10);
				break;
			case 'v':
				with_key = false;
				break;
			case 'r':
				raw = true;
				break;
			default:
				fprintf(stderr, "usage: users [-n COUNT] [-s SEED] [-f FIRST] [-v | -r]\n");
				return 2;
		}
	}
	for (uint64_t i = first; i < first + count; i++)
	{
		User		user;
		size_t		length;

		make_user(&user, seed, i);
		length = (raw ? put_raw(line, &user) : put_message(line, &user, with_key)) - line;
		if (fwrite(line, 1, length, stdout) != length)
			return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
