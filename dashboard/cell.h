/*-------------------------------------------------------------------------
 * dashboard/cell.h
 *    one value of a table, as its column wants it
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_CELL_H
#define US_DASHBOARD_CELL_H

#include "dashboard/page.h"

/* <td>, or <th scope="row"> for what names the row */
extern void us_cell_write(UsBuf *body, const UsColumn *column, const PGresult *rows, int row,
						  bool names_row);
/* the same without an element around it */
extern void us_cell_write_value(UsBuf *body, const UsColumn *column, const PGresult *rows, int row);
/* whether its values stand to the right */
extern bool us_cell_is_number(UsKind kind);

#endif							/* US_DASHBOARD_CELL_H */
