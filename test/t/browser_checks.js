/*
 * test/t/browser_checks.js
 *    what is wrong with a page: for one who sees little, has no mouse, or has a small screen
 *
 * Run in the page by 510_browser.pl, as the body of a function; returns a list
 * of complaints.  The rules are WCAG 2.2's, level AA, as far as a program can
 * judge them.
 */
'use strict';

const problems = [];

function complain(element, what) {
	const text = (element.textContent || '').trim().slice(0, 40);

	problems.push(what + ': <' + element.tagName.toLowerCase() + (element.id ? ' id=' + element.id : '') + '> ' + text);
}

function all(selector) {
	return Array.from(document.querySelectorAll(selector));
}

function isVisible(element) {
	const box = element.getBoundingClientRect();

	return element.checkVisibility({ checkVisibilityCSS: true }) && box.width > 1 && box.height > 1;
}

function name(element) {
	return (element.getAttribute('aria-label') || element.textContent || element.title || '').trim();
}

/* structure */
['main', 'header', 'footer', 'h1'].forEach(function (tag) {
	if (all(tag).length !== 1) {
		problems.push('not one <' + tag + '>');
	}
});
if (!document.title) {
	problems.push('no title');
}
if (!document.documentElement.lang) {
	problems.push('no language');
}
let level = 0;
all('h1, h2, h3, h4').filter(isVisible).forEach(function (heading) {
	const own = Number(heading.tagName[1]);

	if (own > level + 1) {
		complain(heading, 'a level of headings is left out');
	}
	level = own;
	if (!name(heading)) {
		complain(heading, 'a heading without text');
	}
});
const ids = new Set();
all('[id]').forEach(function (element) {
	if (ids.has(element.id)) {
		complain(element, 'an id twice');
	}
	ids.add(element.id);
});
all('[aria-labelledby], [aria-describedby]').forEach(function (element) {
	((element.getAttribute('aria-labelledby') || '') + ' ' + (element.getAttribute('aria-describedby') || ''))
		.trim().split(/\s+/).forEach(function (id) {
			if (!document.getElementById(id)) {
				complain(element, 'a label that is not there');
			}
		});
});
all('nav, [role=region], [role=search]').forEach(function (element) {
	if (!element.getAttribute('aria-label') && !element.getAttribute('aria-labelledby')) {
		complain(element, 'a landmark without a name');
	}
});

/* controls */
all('input, select, textarea').forEach(function (control) {
	if (!control.labels.length || !name(control.labels[0])) {
		complain(control, 'a field without a label');
	}
});
all('a, button, summary').filter(isVisible).forEach(function (control) {
	const box = control.getBoundingClientRect();
	const inline = getComputedStyle(control).display === 'inline';

	if (!name(control)) {
		complain(control, 'a control without a name');
	}
	/* links in running text are excepted, also from the height */
	if (!inline && (box.width < 24 || box.height < 24)) {
		complain(control, 'smaller than 24 by 24 pixels (' + Math.round(box.width) + ' by ' + Math.round(box.height) + ')');
	}
});

/* tables and pictures */
all('table').forEach(function (table) {
	if (!table.caption || !name(table.caption)) {
		complain(table, 'a table without a caption');
	}
	Array.from(table.querySelectorAll('th')).forEach(function (th) {
		if (!th.scope || !name(th)) {
			complain(th, 'a heading of a table without scope or text');
		}
	});
});
all('svg').forEach(function (svg) {
	if (svg.getAttribute('role') !== 'img' && svg.getAttribute('aria-hidden') !== 'true') {
		complain(svg, 'a picture that is not told as one');
	}
});

/* what scrolls must be reachable by keys, and nothing makes the page itself scroll sideways */
all('*').filter(isVisible).forEach(function (element) {
	const style = getComputedStyle(element);

	if (/auto|scroll/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1 &&
		element.tabIndex < 0 && !element.querySelector('a, button, input, [tabindex="0"]')) {
		complain(element, 'scrolls, but not by keys');
	}
});
if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
	problems.push('the page is ' + document.documentElement.scrollWidth + ' pixels wide in a window of ' +
		document.documentElement.clientWidth);
}

/* contrast: 4.5 for text, 3 for the marks of a chart */
function parse(colour) {
	const parts = /rgba?\(([\d.]+), ([\d.]+), ([\d.]+)(?:, ([\d.]+))?\)/.exec(colour);

	return parts && [Number(parts[1]), Number(parts[2]), Number(parts[3]), parts[4] === undefined ? 1 : Number(parts[4])];
}

function luminance(colour) {
	const c = colour.slice(0, 3).map(function (v) {
		const s = v / 255;

		return s <= 0.04045 ? s / 12.92 : Math.pow((s + 0.055) / 1.055, 2.4);
	});

	return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

function background(element) {
	for (let e = element; e; e = e.parentElement) {
		const colour = parse(getComputedStyle(e).backgroundColor);

		if (colour && colour[3] === 1) {
			return colour;
		}
	}
	return parse(getComputedStyle(document.body).backgroundColor);
}

function contrast(a, b) {
	const la = luminance(a);
	const lb = luminance(b);

	return (Math.max(la, lb) + 0.05) / (Math.min(la, lb) + 0.05);
}

function mustContrast(element, colour, least) {
	const ratio = colour && colour[3] === 1 ? contrast(colour, background(element)) : 0;

	if (ratio < least) {
		complain(element, 'contrast ' + ratio.toFixed(2) + ' of ' + least);
	}
}

const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const judged = new Set();
while (texts.nextNode()) {
	const element = texts.currentNode.parentElement;

	if (!judged.has(element) && texts.currentNode.data.trim() && isVisible(element) && !/^(title|desc|option|script)$/i.test(element.tagName)) {
		judged.add(element);
		mustContrast(element, parse(getComputedStyle(element)[element instanceof SVGElement ? 'fill' : 'color']), 4.5);
	}
}
all('.chart rect[class], .chart circle').forEach(function (mark) {
	mustContrast(mark, parse(getComputedStyle(mark).fill), 3);
});
all('.chart .line').forEach(function (mark) {
	mustContrast(mark, parse(getComputedStyle(mark).stroke), 3);
});

/* words of a chart: inside it, and not on each other */
all('.chart svg').filter(isVisible).forEach(function (svg) {
	const frame = svg.getBoundingClientRect();
	const boxes = Array.from(svg.querySelectorAll('text')).map(function (text) {
		return [text, text.getBoundingClientRect()];
	});

	boxes.forEach(function (one, i) {
		const a = one[1];

		if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1) {
			complain(one[0], 'a label that is cut off');
		}
		boxes.slice(i + 1).forEach(function (other) {
			const b = other[1];

			if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2) {
				complain(one[0], 'a label on "' + other[0].textContent + '"');
			}
		});
	});
});

return problems;
