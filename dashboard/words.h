/*-------------------------------------------------------------------------
 * dashboard/words.h
 *    the words of the pages, in the reader's language
 *
 * English stands in the code, where it is read; words.c has it in Spanish.
 * What SQL says is not translated: names, errors, values, JSON and CSV.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_WORDS_H
#define US_DASHBOARD_WORDS_H

#include <stdbool.h>

typedef enum UsLanguage
{
	US_LANGUAGE_ENGLISH,
	US_LANGUAGE_SPANISH,
	US_LANGUAGES
} UsLanguage;

/* "en", "es"; and how each calls itself */
extern const char *us_language_code(UsLanguage language);
extern const char *us_language_name(UsLanguage language);

/* the language of a code; false: it is none of ours */
extern bool us_language_find(const char *code, UsLanguage *language);

/*
 * us_language_accepted -- what a browser asks for
 *
 * In:      header  its Accept-Language, such as "de, es-MX;q=0.8, en;q=0.5"
 * Returns: the one of ours that it likes best, the first of equals; English
 *          when it names none
 */
extern UsLanguage us_language_accepted(const char *header);

/* from now on: a program answers one request at a time */
extern void us_language_choose(UsLanguage language);
extern UsLanguage us_language_chosen(void);

/* English of ours in the language that was chosen */
extern const char *us_text(const char *english) __attribute__((format_arg(1)));
/* the same of a word that came with data: one that words.c does not have stays itself */
extern const char *us_word(const char *word);

/* pair i of words.c, for its test: English (NULL: there are no more) and Spanish */
extern const char *us_words_pair(int i, const char **spanish);

#endif							/* US_DASHBOARD_WORDS_H */
